"""The five methods of the Python pipeline, and the others."""

import datetime
import hashlib
import inspect
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import modeldepot
from modeldepot import ModelStorage, NotFoundError, VersionSummary

HISTORY = {"train_loss": [0.9, 0.4, 0.2], "val_loss": [0.8, 0.5, 0.6], "val_accuracy": [0.7, 0.95, 0.9]}


def test_the_signatures_are_the_documents() -> None:
    def positional(method: Any) -> list[tuple[str, Any]]:
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD,)
        parameters = inspect.signature(method).parameters.values()
        return [(p.name, p.default) for p in parameters if p.kind in kinds]

    empty = inspect.Parameter.empty
    assert positional(ModelStorage.upload_model) == [
        ("model_path", empty),
        ("model_name", empty),
        ("version", None),
        ("metadata", None),
        ("additional_files", None),
    ]
    assert positional(ModelStorage.download_model) == [
        ("model_name", empty),
        ("version", None),
        ("local_dir", None),
    ]
    assert positional(ModelStorage.list_model_versions) == [("model_name", empty)]
    assert positional(ModelStorage.get_latest_version) == [("model_name", empty)]
    assert positional(ModelStorage.delete_model_version) == [("model_name", empty), ("version", empty)]


def test_the_documents_round(storage: ModelStorage, model: Path) -> None:
    history = model.with_name("training_history.json")
    history.write_text(json.dumps(HISTORY))
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    published = storage.upload_model(
        model_path=str(model),
        model_name="plant_classifier",
        metadata={"architecture": "resnet18", "num_classes": 2, "val_accuracy": 0.95},
        additional_files=[str(history)],
    )
    assert datetime.datetime.strptime(published.version, "%Y%m%d_%H%M%S").year >= 2025
    assert published.checksum == hashlib.md5(model.read_bytes()).hexdigest()
    assert (published.files, published.size) == (2, 4096 + len(history.read_bytes()))

    path = storage.download_model(
        model_name="plant_classifier", version=published.version, local_dir="./models/downloaded"
    )
    assert path == "./models/downloaded/best_model.pth"
    assert Path(path).read_bytes() == model.read_bytes()
    assert json.loads(Path("models/downloaded/manifest.json").read_text())["checksum"] == published.checksum

    [version] = storage.list_model_versions("plant_classifier")
    assert version == published.version == storage.get_latest_version("plant_classifier")
    assert version.published is not None
    assert before <= version.published < before + datetime.timedelta(minutes=1)
    deleted = storage.delete_model_version("plant_classifier", version)
    assert (deleted.files, deleted.size) == (2, published.size)
    with pytest.raises(NotFoundError):
        storage.get_latest_version("plant_classifier")


def test_a_download_without_a_folder_goes_into_one_of_the_model(storage: ModelStorage, model: Path) -> None:
    for name in ("cats", "dogs"):
        storage.upload_model(model, name, "1")
        assert storage.download_model(name) == f"./models/downloaded/{name}/best_model.pth"
        assert Path(f"models/downloaded/{name}/best_model.pth").read_bytes() == model.read_bytes()


def test_a_folder_holds_one_model_and_files_of_the_user_stay(storage: ModelStorage, model: Path) -> None:
    for name in ("cats", "dogs"):
        storage.upload_model(model, name, "1")
    storage.download_model("cats", local_dir="out")
    with pytest.raises(modeldepot.ConflictError, match="`out` holds the model `cats`, not `dogs`"):
        storage.download_model("dogs", local_dir="out")
    Path("mine").mkdir()
    Path("mine/best_model.pth").write_text("mine")
    with pytest.raises(modeldepot.ConflictError, match="`best_model.pth` is not from an earlier pull"):
        storage.download_model("cats", local_dir="mine")
    assert Path("mine/best_model.pth").read_text() == "mine"
    storage.download_model("cats", local_dir="mine", force=True)
    assert Path("mine/best_model.pth").read_bytes() == model.read_bytes()


def test_what_has_no_digest_is_not_verified(storage: ModelStorage, tmp_path: Path) -> None:
    file = tmp_path / "file"
    manifest = {"model_name": "m", "version": "1", "model_file": "m/v1/m.onnx"}
    for key, text in (("m.onnx", "weights"), ("manifest.json", json.dumps(manifest))):
        file.write_text(text)
        storage.client.upload_file(file, storage.bucket, f"m/v1/{key}", force=True)
    verified = storage.verify("m")
    assert (verified.intact, verified.unverified) == (False, ["m.onnx"])
    with pytest.raises(modeldepot.UnverifiedError, match="without a published digest: `m.onnx`"):
        storage.download_model("m", require_digests=True)
    assert not Path("models").exists()
    assert Path(storage.download_model("m")).read_text() == "weights"


def test_a_folder_a_history_and_what_is_left_out(storage: ModelStorage, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    (folder / "weights").mkdir(parents=True)
    (folder / "weights" / "model.bin").write_bytes(b"x" * 100)
    (folder / "events.tmp").write_bytes(b"y" * 1000)
    (tmp_path / "history.json").write_text(json.dumps(HISTORY))
    storage.upload_model(
        folder,
        "m",
        "1",
        {"val_accuracy": 0.99, "optimizer": "AdamW"},
        history=tmp_path / "history.json",
        exclude=["*.tmp"],
    )
    found = storage.describe("m", "1")
    assert [file.path for file in found.files] == ["history.json", "weights/model.bin"]
    assert found.model_file == "weights/model.bin"
    assert found.metadata["best_epoch"] == 2
    assert found.metadata["val_accuracy"] == 0.99, "what is said wins over the history"
    assert found.created_at is not None and found.created_at.tzinfo is datetime.timezone.utc


def test_what_does_not_belong_in_a_version(storage: ModelStorage, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / ".git").mkdir(parents=True)
    (folder / "logs").mkdir()
    files = {
        "model.safetensors": "weights",
        "optimizer.pt": "much larger than the weights",
        ".env": "SECRET=1",
        ".git/config": "",
        ".note": "",
        "server.pem": "",
        "logs/metrics.json": json.dumps(HISTORY),
        "training_history.json": json.dumps({"loss": [1]}),
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    published = storage.upload_model(folder, "m", "1", history=folder / "logs" / "metrics.json")
    assert published.model_file == "model.safetensors"
    assert published.left_out == [".env", ".git/", ".note", "server.pem"]
    found = storage.describe("m@1")
    paths = ["logs/metrics.json", "model.safetensors", "optimizer.pt", "training_history.json"]
    assert [file.path for file in found.files] == paths
    assert found.history == "logs/metrics.json"

    (folder / ".modeldepotignore").write_text("*.pt\n")
    published = storage.upload_model(
        folder, "m", "2", additional_files=[folder / ".env"], exclude=["logs/", "!*.pem", "*.x"], include_hidden=True
    )
    assert published.unmatched == ["*.x"]
    paths = [".env", ".note", "model.safetensors", "server.pem", "training_history.json"]
    assert [file.path for file in storage.describe("m@2").files] == paths
    assert published.left_out == [".git/", ".modeldepotignore", "logs/", "optimizer.pt"]


def test_links_and_what_nobody_could_read(storage: ModelStorage, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (tmp_path / "weights.bin").write_text("weights")
    (folder / "model.bin").symlink_to("../weights.bin")
    with pytest.raises(ValueError, match="leaves the folder"):
        storage.upload_model(folder, "m", "1")
    storage.upload_model(folder, "m", "1", follow_links=True)
    assert [file.path for file in storage.describe("m@1").files] == ["model.bin"]
    (folder / "gone").symlink_to("nowhere")
    with pytest.raises(ValueError, match="`nowhere`, which does not exist"):
        storage.upload_model(folder, "m", "2")
    with pytest.raises(ValueError, match="more than 100000 values"):
        storage.upload_model(tmp_path / "weights.bin", "m", "2", {"all": [0] * 100_000})


def test_names_of_files(storage: ModelStorage, model: Path) -> None:
    storage.upload_model(model, "m", "1", file_name="weights.pth")
    assert storage.describe("m@1").model_file == "weights.pth"
    with pytest.raises(ValueError, match="two files would be `other.json`"):
        other = model.with_name("other.json")
        other.write_text("{}")
        storage.upload_model(model, "m", "2", additional_files=[other], file_name="other.json")


def test_versions_are_texts_that_sort_as_versions(storage: ModelStorage, model: Path) -> None:
    for version in ("1.10", "1.9", "1.2"):
        storage.upload_model(model, "m", version)
    versions = storage.list_model_versions("m")
    assert versions == ["1.2", "1.9", "1.10"]
    assert [str(version) for version in sorted(versions, reverse=True)] == ["1.10", "1.9", "1.2"]
    assert f"{versions[-1]}" == "1.10" and versions[-1] > "1.9" and "1.9" in versions
    assert {versions[0]: 1}["1.2"] == 1  # type: ignore[index]
    assert versions[0] != "not a version" and versions[0] != 12
    with pytest.raises(TypeError):
        max(versions[0], 12)
    assert isinstance(max(versions), VersionSummary)
    assert storage.describe("m", versions[0]).version == "1.2"


def test_a_selector_names_a_version_too(storage: ModelStorage, model: Path) -> None:
    storage.upload_model(model, "m", "1")
    storage.upload_model(model, "m", "2", {"n": 2})
    assert storage.describe("m@1").version == "1"
    assert storage.describe("m@latest").version == "2"
    assert storage.describe("m", "latest").version == "2"
    with pytest.raises(ValueError, match="name the version to delete"):
        storage.delete_model_version("m", "latest")


@pytest.mark.parametrize("name", ["latest", "Latest"])
def test_latest_is_no_name_of_a_new_version(storage: ModelStorage, model: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}` is not a version name"):
        storage.upload_model(model, "m", name)
    assert storage.models() == []


def test_models_verify_and_urls(storage: ModelStorage, model: Path) -> None:
    assert storage.models() == []
    storage.upload_model(model, "m", "1")
    [found] = storage.models()
    assert (found.name, found.latest, found.versions, found.size) == ("m", "1", 1, 4096)
    verified = storage.verify("m")
    assert (verified.files, verified.size, verified.unverified) == (1, 4096, [])
    assert verified.intact
    url = storage.presigned_url("m", expiration=60)
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == model.read_bytes()
    for seconds in (0, -1, 8 * 24 * 3600):
        with pytest.raises(ValueError, match="cannot be valid"):
            storage.presigned_url("m", expiration=seconds)


def test_the_same_again_is_success_and_says_so(storage: ModelStorage, model: Path) -> None:
    first = storage.upload_model(model, "m", "1")
    again = storage.upload_model(model, "m", "1")
    assert not first.already and again.already
    assert again.manifest == first.manifest
    assert repr(again).endswith("already there)")


def test_answers_show_themselves(storage: ModelStorage, model: Path) -> None:
    published = storage.upload_model(model, "m", "1", {"<script>": "a & b"})
    shown: list[tuple[Any, str]] = [
        (published, "Published(m@1, 1 file, 4.1 kB)"),
        (storage.describe("m"), "Description(m@1, 1 file, 4.1 kB)"),
        (storage.verify("m"), "Verified(m@1, 1 file, 4.1 kB)"),
        (storage.models()[0], "ModelSummary(m, latest 1, 1 version, 4.1 kB)"),
        (storage.list_model_versions("m")[0], "VersionSummary(1, 1 file, 4.1 kB)"),
        (storage.describe("m").files[0], "StoredFile(best_model.pth, 4.1 kB)"),
        (storage.client.list_objects(storage.bucket, "m/")[0], 'ListedObject("m/v1/best_model.pth", 4.1 kB)'),
    ]
    for answer, text in shown:
        assert repr(answer) == text
        assert answer._repr_html_().startswith("<table>")
    assert str(published) == str(storage.describe("m")) == "m@1"
    html = published._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html and "a &amp; b" in html


def test_answers_cannot_be_changed(storage: ModelStorage, model: Path) -> None:
    published = storage.upload_model(model, "m", "1")
    with pytest.raises(AttributeError):
        published.version = "2"  # type: ignore[misc]
