"""s5cmd: many files at once."""

import pytest
from conftest import SPECIAL, contents, digest, fails_on, fetch, program


@pytest.fixture
def s5cmd(endpoint, tmp_path):
    return program("s5cmd", "--endpoint-url", endpoint, "--retry-count", "0", cwd=tmp_path)


def test_files(s5cmd, name, large, tmp_path):
    s5cmd("mb", f"s3://{name}")
    assert name in s5cmd("ls")
    s5cmd("cp", large, f"s3://{name}/in/large.bin")
    s5cmd("cp", f"s3://{name}/in/large.bin", "back.bin")
    assert digest(tmp_path / "back.bin") == digest(large)
    assert str(large.stat().st_size) in s5cmd("head", f"s3://{name}/in/large.bin")
    s5cmd("cp", "--metadata", "origin=here", "--content-type", "text/x", large, f"s3://{name}/described")
    assert "text/x" in s5cmd("head", f"s3://{name}/described")
    s5cmd("cp", f"s3://{name}/in/large.bin", f"s3://{name}/copy.bin")
    s5cmd("mv", f"s3://{name}/copy.bin", f"s3://{name}/moved.bin")
    assert s5cmd("pipe", f"s3://{name}/piped", input=b"from a pipe") is not None
    assert s5cmd("cat", f"s3://{name}/piped") == "from a pipe"
    assert "4 objects" in s5cmd("du", f"s3://{name}/*")
    s5cmd("rm", f"s3://{name}/*")
    s5cmd("rb", f"s3://{name}")


@fails_on("MinIO", "it takes a plus in a copy source for a plus, and s5cmd means a space")
def test_folders(s5cmd, bucket, tree, tmp_path):
    assert len(s5cmd("sync", "tree/", f"s3://{bucket}/tree/").splitlines()) == 5
    assert s5cmd("sync", "tree/", f"s3://{bucket}/tree/") == ""
    assert "DIR  sub/" in s5cmd("ls", f"s3://{bucket}/tree/")
    s5cmd("cp", f"s3://{bucket}/tree/*", "back/")
    assert contents(tmp_path / "back") == contents(tree)
    (tree / "a.txt").unlink()
    assert "rm " in s5cmd("sync", "--delete", "tree/", f"s3://{bucket}/tree/")
    s5cmd("sync", f"s3://{bucket}/tree/*", f"s3://{bucket}/copy/")
    assert len(s5cmd("ls", f"s3://{bucket}/copy/*").splitlines()) == 4


def test_long_listings(s5cmd, many):
    assert len(s5cmd("ls", f"s3://{many}/*").splitlines()) == 1007


def test_special_keys(s5cmd, bucket, tmp_path):
    for key in SPECIAL:
        s5cmd("pipe", "--raw", f"s3://{bucket}/{key}", input=key.encode())
        assert s5cmd("cat", "--raw", f"s3://{bucket}/{key}") == key


def test_presigned_urls(s5cmd, bucket, s3):
    s3.put_object(Bucket=bucket, Key="a b ü", Body=b"x")
    assert fetch(s5cmd("presign", f"s3://{bucket}/a b ü").strip()) == (200, b"x")


def test_versions(s5cmd, bucket):
    s5cmd("bucket-version", "--set", "Enabled", f"s3://{bucket}")
    assert "Enabled" in s5cmd("bucket-version", f"s3://{bucket}")
    for body in [b"one", b"two"]:
        s5cmd("pipe", f"s3://{bucket}/k", input=body)
    listed = s5cmd("ls", "--all-versions", f"s3://{bucket}/k").splitlines()
    assert len(listed) == 2
    bodies = {s5cmd("cat", "--version-id", line.split()[-1], f"s3://{bucket}/k") for line in listed}
    assert bodies == {"one", "two"}
    s5cmd("rm", "--all-versions", f"s3://{bucket}/*")
    s5cmd("rb", f"s3://{bucket}")


def test_errors(s5cmd, bucket, monkeypatch):
    s5cmd("ls", "s3://client-no-such-bucket", fails="NoSuchBucket")
    s5cmd("cat", f"s3://{bucket}/no", fails="not found")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    s5cmd("ls", f"s3://{bucket}", fails="SignatureDoesNotMatch")
