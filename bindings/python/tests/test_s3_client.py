"""The nine methods of the Python pipeline, checked with boto3."""

import urllib.request
from pathlib import Path
from typing import Any

import pytest

from modeldepot import ModelStorage, NotFoundError, S3Client


def test_the_nine(boto: Any, storage: ModelStorage, model: Path) -> None:
    s3 = S3Client()
    bucket = storage.bucket + "-two"
    assert s3.create_bucket(bucket) is True
    assert s3.create_bucket(bucket) is False
    assert s3.bucket_exists(bucket) and not s3.bucket_exists("no-such-bucket")

    stored = s3.upload_file(str(model), bucket)
    assert stored.size == 4096
    assert boto.get_object(Bucket=bucket, Key="best_model.pth")["Body"].read() == model.read_bytes()
    s3.upload_file(model, bucket, "deep/er/äöü.json", {"purpose": "test"}, content_type="application/json")
    head = boto.head_object(Bucket=bucket, Key="deep/er/äöü.json")
    assert head["Metadata"] == {"purpose": "test"} and head["ContentType"] == "application/json"
    found = s3.get_object_metadata(bucket, "deep/er/äöü.json")
    assert (found.metadata, found.content_type) == ({"purpose": "test"}, "application/json")
    assert found.modified == head["LastModified"]

    boto.put_object(Bucket=bucket, Key="theirs", Body=b"from boto3")
    assert s3.download_file(bucket, "theirs", "theirs.txt") == "theirs.txt"
    assert Path("theirs.txt").read_bytes() == b"from boto3"
    assert [str(found) for found in s3.list_objects(bucket)] == ["best_model.pth", "deep/er/äöü.json", "theirs"]
    assert [found.size for found in s3.list_objects(bucket, "the")] == [10]
    with urllib.request.urlopen(s3.get_presigned_url(bucket, "theirs", 60)) as answer:
        assert answer.read() == b"from boto3"
    put = s3.get_presigned_url(bucket, "put", put=True)
    with urllib.request.urlopen(urllib.request.Request(put, b"by a URL", method="PUT")):
        pass
    assert boto.get_object(Bucket=bucket, Key="put")["Body"].read() == b"by a URL"

    assert s3.object_exists(bucket, "theirs")
    assert s3.delete_object(bucket, "theirs") is True
    assert not s3.object_exists(bucket, "theirs")
    assert s3.delete_object(bucket, "theirs") is True, "as S3 has it"
    with pytest.raises(NotFoundError):
        s3.get_object_metadata(bucket, "theirs")
    with pytest.raises(NotFoundError):
        s3.list_objects("no-such-bucket")
    with pytest.raises(FileNotFoundError):
        s3.upload_file("no-such-file", bucket)


def test_files_of_several_parts(storage: ModelStorage, boto: Any, large: Path) -> None:
    seen: list[tuple[int, int]] = []
    storage.client.upload_file(large, storage.bucket, "large", progress=lambda *now: seen.append(now))
    assert seen[-1] == (large.stat().st_size,) * 2
    boto.download_file(storage.bucket, "large", "back")
    assert Path("back").read_bytes() == large.read_bytes()
    seen.clear()
    storage.client.download_file(storage.bucket, "large", "back2", progress=lambda *now: seen.append(now))
    assert seen[-1] == (large.stat().st_size,) * 2
    assert Path("back2").read_bytes() == large.read_bytes()
