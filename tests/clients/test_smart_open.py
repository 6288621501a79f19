"""smart_open: files on S3 as streams."""

import boto3
import pytest
import smart_open
from botocore.exceptions import ClientError
from conftest import LOGIN, SPECIAL, digest
from smart_open import s3 as smart_s3


@pytest.fixture
def opened(endpoint):
    """`smart_open.open` with a client for the endpoint, as in its documentation."""
    client = boto3.client("s3", endpoint_url=endpoint)
    return lambda url, mode="rb", **more: smart_open.open(url, mode, transport_params={"client": client, **more})


def test_files(opened, bucket, large):
    with opened(f"s3://{bucket}/large.bin", "wb") as out:
        with large.open("rb") as source:
            while chunk := source.read(3 << 20):
                out.write(chunk)
    with opened(f"s3://{bucket}/large.bin") as source:
        assert digest(source.read()) == digest(large)
        source.seek(60 << 20)
        assert source.read(9) == large.read_bytes()[60 << 20 : (60 << 20) + 9]
        source.seek(-5, 2)
        assert source.read() == large.read_bytes()[-5:]


def test_small_and_empty(opened, bucket):
    with opened(f"s3://{bucket}/empty", "wb"):
        pass
    with opened(f"s3://{bucket}/empty") as source:
        assert source.read() == b""
    with opened(f"s3://{bucket}/single", "wb", multipart_upload=False) as out:
        out.write(b"single")
    with opened(f"s3://{bucket}/single") as source:
        assert source.read() == b"single"


def test_text_and_compression(opened, bucket):
    for name in ["log.txt", "log.txt.gz"]:
        with opened(f"s3://{bucket}/{name}", "w") as out:
            out.writelines(f"épochè {number}\n" for number in range(10_000))
        with opened(f"s3://{bucket}/{name}", "r") as source:
            assert [line for line in source][-1] == "épochè 9999\n"


def test_failed_write_leaves_nothing(opened, bucket, s3):
    with pytest.raises(RuntimeError), opened(f"s3://{bucket}/k", "wb") as out:
        out.write(bytes(6 << 20))
        raise RuntimeError
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_special_keys(opened, bucket):
    for key in SPECIAL:
        with opened(f"s3://{bucket}/{key}", "wb") as out:
            out.write(key.encode())
        with opened(f"s3://{bucket}/{key}") as source:
            assert source.read() == key.encode()


def test_iterating(endpoint, many):
    found = smart_s3.iter_bucket(many, prefix="many/00", workers=8, client_kwargs={"endpoint_url": endpoint})
    assert {key for key, body in found if body == b"x"} == {f"many/{number:04}" for number in range(100)}


def test_versions(opened, bucket, s3):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"two")
    with opened(f"s3://{bucket}/k", version_id=first) as source:
        assert source.read() == b"one"


def test_errors(opened, endpoint, bucket):
    for url in [f"s3://{bucket}/no", "s3://client-no-such-bucket/k"]:
        with pytest.raises(OSError):
            opened(url).read()
    with pytest.raises((OSError, ValueError, ClientError)):
        with opened("s3://client-no-such-bucket/k", "wb") as out:
            out.write(b"x")
    wrong = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=LOGIN, aws_secret_access_key="wrong")
    with pytest.raises((OSError, ClientError), match="SignatureDoesNotMatch"):
        smart_open.open(f"s3://{bucket}/k", "rb", transport_params={"client": wrong}).read()
