"""The snippets of the Python pipeline's documentation, with nothing but the wheel: no test framework, no other package.

document.py              on `modeldepot up`, which it starts
document.py ENDPOINT     on another server, where its three buckets exist
"""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator


def snippets() -> None:
    from modeldepot import ModelStorage, S3Client

    with open("best_model.pth", "wb") as file:
        file.write(os.urandom(20_000_000))
    with open("training_history.json", "w") as file:
        json.dump({"train_loss": [0.5, 0.1324], "val_loss": [0.6, 0.4722]}, file)

    # The documentation's names and metadata.
    storage = ModelStorage()
    storage.upload_model(
        model_path="best_model.pth",
        model_name="plant_classifier",
        version="20251028_181858",
        metadata={
            "architecture": "resnet18",
            "num_classes": 2,
            "best_epoch": 7,
            "train_accuracy": 0.9571,
            "val_accuracy": 0.9500,
            "train_loss": 0.1324,
            "val_loss": 0.4722,
            "total_epochs": 10,
            "optimizer": "AdamW",
        },
        additional_files=["training_history.json"],
    )

    # "Télécharger un Modèle (Python)", as in the documentation.
    model_path = storage.download_model(
        model_name="plant_classifier", version="20251028_181858", local_dir="./models/downloaded"
    )
    assert digest(model_path) == digest("best_model.pth"), model_path
    with open("models/downloaded/manifest.json") as file:
        manifest = json.load(file)
    first = ["model_name", "version", "model_file", "model_url", "checksum", "metadata", "created_at"]
    assert list(manifest)[:7] == first
    assert manifest["checksum"] == digest("best_model.pth")
    assert manifest["metadata"]["val_accuracy"] == 0.95
    assert [str(version) for version in storage.list_model_versions("plant_classifier")] == ["20251028_181858"]
    assert storage.get_latest_version("plant_classifier") == "20251028_181858"

    # The nine methods of `S3Client`.
    s3 = S3Client()
    bucket_name = storage.bucket + "-nine"
    s3.create_bucket(bucket_name)
    s3.upload_file("training_history.json", bucket_name)
    object_name = "training_history.json"
    assert s3.bucket_exists(bucket_name) and s3.object_exists(bucket_name, object_name)
    assert s3.get_object_metadata(bucket_name, object_name).size == os.path.getsize(object_name)
    assert [found.key for found in s3.list_objects(bucket_name, "training")] == [object_name]
    s3.download_file(bucket_name, object_name, "back.json")
    assert digest("back.json") == digest(object_name)
    with urllib.request.urlopen(s3.get_presigned_url(bucket_name, object_name, 3600)) as answer:
        assert hashlib.md5(answer.read()).hexdigest() == digest(object_name)
    s3.delete_object(bucket_name, object_name)
    assert not s3.object_exists(bucket_name, object_name)

    storage.delete_model_version("plant_classifier", "20251028_181858")
    assert storage.models() == []


def digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.md5(file.read()).hexdigest()


@contextlib.contextmanager
def up(folder: str) -> Iterator[str]:
    command = os.path.join(os.path.dirname(sys.executable), "modeldepot")
    data = os.path.join(folder, "data")
    arguments = [command, "--json", "up", "--no-console", "--no-login", "--listen", "127.0.0.1:0", "--data", data]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        said = ""
        while "}" not in said:
            said += server.stdout.readline()
        yield json.loads(said)["endpoint"]
        server.terminate()


def main() -> None:
    for name in list(os.environ):
        if name.startswith(("S3_", "AWS_")):
            del os.environ[name]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        endpoint = sys.argv[1] if len(sys.argv) > 1 else stack.enter_context(up(folder))
        os.chdir(folder)
        with open(".env", "w") as file:
            file.write(f"S3_ENDPOINT={endpoint}\nS3_ACCESS_KEY=minioadmin\nS3_SECRET_KEY=minioadmin\n")
            file.write(f"S3_REGION=us-east-1\nS3_BUCKET_MODELS=models-{os.urandom(6).hex()}\n")
        subprocess.run([os.path.join(os.path.dirname(sys.executable), "modeldepot"), "init"], check=True)
        snippets()
        os.chdir("/")
    print(f"the snippets run on {endpoint}")


if __name__ == "__main__":
    main()
