"""Objects that modeldepot did not create are kept and listed; files removed by others are noticed."""

import json
from pathlib import Path
from typing import Any

import pytest

from modeldepot import ConflictError, CorruptError, DeniedError, ModelStorage, NotFoundError, S3Client


def test_foreign_objects_are_named_and_left(storage: ModelStorage, boto: Any, model: Path) -> None:
    boto.put_object(Bucket=storage.bucket, Key="m/v1/notes.onnx", Body=b"somebody's")
    published = storage.upload_model(model, "m", "1")
    assert (published.files, published.foreign) == (1, ["notes.onnx"])
    assert [(found.files, found.size) for found in storage.list_model_versions("m")] == [(1, 4096)]
    deleted = storage.delete_model_version("m", "1")
    assert (deleted.files, deleted.foreign, deleted.foreign_count) == (1, ["notes.onnx"], 1)
    assert repr(deleted) == "Deleted(1 file, 4.1 kB, left 1 foreign object)"
    assert boto.get_object(Bucket=storage.bucket, Key="m/v1/notes.onnx")["Body"].read() == b"somebody's"


def test_a_model_whose_versions_are_deleted_has_none(storage: ModelStorage, model: Path) -> None:
    storage.upload_model(model, "m", "1")
    storage.delete_model_version("m", "1")
    assert storage.list_model_versions("m") == []
    with pytest.raises(NotFoundError):
        storage.list_model_versions("never")


def test_published_objects_are_not_touched(storage: ModelStorage, model: Path) -> None:
    storage.upload_model(model, "m", "1")
    s3, key = S3Client(), "m/v1/best_model.pth"
    for refused in (
        lambda: s3.delete_object(storage.bucket, key),
        lambda: s3.delete_object(storage.bucket, "m/v1/manifest.json"),
        lambda: s3.upload_file(model, storage.bucket, key),
        lambda: s3.get_presigned_url(storage.bucket, key, put=True),
        lambda: s3.upload_file(model, storage.bucket, ".depot/tombstones/m/1.json"),
    ):
        with pytest.raises(ConflictError):
            refused()
    storage.verify("m")
    assert s3.get_presigned_url(storage.bucket, key, put=True, force=True)
    s3.upload_file(model, storage.bucket, key, force=True)
    assert s3.delete_object(storage.bucket, key, force=True) is True


def test_upload_urls_are_signed_only_where_they_allow_nothing_else(storage: ModelStorage, boto: Any) -> None:
    s3 = S3Client()
    assert s3.get_presigned_url("data", "x", put=True)
    record = json.loads(boto.get_object(Bucket=storage.bucket, Key=".depot/probe.json")["Body"].read())
    record["unsigned_headers"] = "copied"
    boto.put_object(Bucket=storage.bucket, Key=".depot/probe.json", Body=json.dumps(record).encode())
    s3 = S3Client()  # The other one remembers what it found.
    with pytest.raises(DeniedError, match="upload URLs are not safe") as raised:
        s3.get_presigned_url("data", "x", put=True)
    assert "`force=True`" in str(raised.value.hint)
    assert s3.get_presigned_url("data", "x", put=True, force=True)
    assert s3.get_presigned_url("data", "x")


def test_missing_files_are_noticed(storage: ModelStorage, boto: Any, model: Path) -> None:
    storage.upload_model(model, "m", "1")
    boto.delete_object(Bucket=storage.bucket, Key="m/v1/best_model.pth")
    assert [found.damaged for found in storage.list_model_versions("m")] == [True]
    assert [(found.damaged, found.latest_damaged) for found in storage.models()] == [(1, True)]
    assert storage.describe("m").damaged == ["best_model.pth"]
    with pytest.raises(CorruptError, match="best_model.pth"):
        storage.download_model("m")
