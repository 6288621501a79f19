#!/usr/bin/env python3
"""Checks what `upload_model.py` published, in seven steps.

    python3 verify_s3.py

Exits with 1 at the first step that fails, and says why.
"""

import hashlib
import json
import sys
import urllib.request
from pathlib import Path

from modeldepot import ModelDepotError, ModelStorage

MODEL = "digits_classifier"


def require(truth, otherwise):
    if not truth:
        sys.exit(f"❌ {otherwise}")


def main():
    storage = ModelStorage()
    s3 = storage.client

    versions = storage.list_model_versions(MODEL)
    print(f"1. ✅ {len(versions)} version(s) of {MODEL}: {', '.join(str(version) for version in versions)}")

    latest = storage.get_latest_version(MODEL)
    require(latest == versions[-1], f"the latest version is {latest}, but the listing ends with {versions[-1]}")
    print(f"2. ✅ latest version: {latest}")

    path = Path(storage.download_model(model_name=MODEL, version=latest, local_dir="./models/downloaded"))
    print(f"3. ✅ downloaded and verified: {path}")

    found = storage.describe(MODEL, latest)
    for file in found.files:
        local = path.parent / file.path
        require(local.stat().st_size == file.size, f"{local} has another size than {file.size} bytes")
        print(f"4. ✅ {file.path}: {file.size} bytes")

    manifest = json.loads((path.parent / "manifest.json").read_text())
    require(manifest == found.manifest, "the manifest in the folder is another than in the bucket")
    checksum = hashlib.md5(path.read_bytes()).hexdigest()
    require(manifest["checksum"] == checksum, f"the manifest's MD5 is {manifest['checksum']}, the file's {checksum}")
    print(f"5. ✅ manifest: MD5 {checksum}, validation accuracy {manifest['metadata']['val_accuracy']:.2%}")

    key = manifest["model_file"]
    require(s3.bucket_exists(storage.bucket), f"bucket {storage.bucket} does not exist")
    require(s3.object_exists(storage.bucket, key), f"object {key} does not exist")
    require(not s3.object_exists(storage.bucket, key + ".absent"), "an object exists that nobody made")
    require(s3.get_object_metadata(storage.bucket, key).size == path.stat().st_size, f"{key} has another size")
    with urllib.request.urlopen(s3.get_presigned_url(storage.bucket, key, expiration=60)) as answer:
        require(answer.read() == path.read_bytes(), "the presigned URL gives other bytes")
    print("6. ✅ S3 methods: bucket_exists, object_exists, get_object_metadata, get_presigned_url")

    keys = [str(found) for found in s3.list_objects(storage.bucket, prefix=f"{MODEL}/v{latest}/")]
    for expected in [*(f"{MODEL}/v{latest}/{file.path}" for file in found.files), f"{MODEL}/v{latest}/manifest.json"]:
        require(expected in keys, f"{expected} is not listed")
    for key in keys:
        print(f"7. ✅ {key}")


if __name__ == "__main__":
    try:
        main()
    except ModelDepotError as error:
        sys.exit(f"❌ {error}")
