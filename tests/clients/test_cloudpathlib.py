"""cloudpathlib: pathlib on S3."""

import pytest
from botocore.exceptions import ClientError
from cloudpathlib import S3Client
from cloudpathlib.exceptions import CloudPathException
from conftest import LOGIN, SPECIAL, contents, digest, fetch


@pytest.fixture
def client(endpoint, tmp_path):
    return S3Client(endpoint_url=endpoint, local_cache_dir=tmp_path / "cache")


@pytest.fixture
def root(client, bucket):
    return client.CloudPath(f"s3://{bucket}")


def test_files(root, large, tmp_path):
    path = root / "in" / "large.bin"
    path.upload_from(large)
    assert path.exists() and path.is_file() and path.stat().st_size == large.stat().st_size
    path.download_to(tmp_path / "back")
    assert digest(tmp_path / "back") == digest(large)
    with path.open("rb") as file:
        file.seek(100)
        assert file.read(3) == large.read_bytes()[100:103]
    text = root / "notes.txt"
    text.write_text("épochè")
    assert text.read_text() == "épochè" and text.etag
    with text.open("a") as file:
        file.write("!")
    assert text.read_text() == "épochè!"
    path.copy(root / "copy.bin")
    assert (root / "copy.bin").stat().st_size == large.stat().st_size
    (root / "copy.bin").rename(root / "moved.bin")
    assert not (root / "copy.bin").exists() and (root / "moved.bin").exists()
    path.unlink()
    assert not path.exists()
    with pytest.raises(FileNotFoundError):
        path.unlink(missing_ok=False)


def test_folders(root, tree, tmp_path):
    (root / "tree").upload_from(tree)
    assert sorted(path.name for path in (root / "tree").iterdir()) == ["a.txt", "b c.txt", "sub"]
    assert sorted(path.name for path in root.glob("**/*.txt")) == ["a.txt", "b c.txt", "ü.txt"]
    assert (root / "tree/sub").is_dir()
    (root / "tree").copytree(root / "copy")
    (root / "copy").download_to(tmp_path / "back")
    assert contents(tmp_path / "back") == contents(tree)
    (root / "tree").rmtree()
    assert not (root / "tree").exists()
    assert [folder.name for folder, _, _ in (root / "copy").walk()][0] == "copy"


def test_buckets(client, bucket):
    assert f"s3://{bucket}" in [str(path).rstrip("/") for path in client.CloudPath("s3://").iterdir()]


def test_long_listings(client, many):
    assert sum(1 for _ in client.CloudPath(f"s3://{many}/many").iterdir()) == 1005


def test_special_keys(root):
    # Not all of these are valid file names in every system's local cache; the server has no part in that.
    for key in SPECIAL:
        (root / key).write_text(key)
        assert (root / key).read_text() == key
    assert len([path for path in root.rglob("*") if path.is_file()]) == len(SPECIAL)


def test_presigned_urls(root):
    (root / "a b ü").write_text("x")
    assert fetch((root / "a b ü").as_url(presign=True)) == (200, b"x")


def test_errors(root, client, endpoint, tmp_path):
    assert not (root / "no").exists()
    with pytest.raises(ClientError, match="NoSuchBucket"):
        client.CloudPath("s3://client-no-such-bucket/k").exists()
    with pytest.raises((FileNotFoundError, CloudPathException)):
        (root / "no").read_text()
    wrong = S3Client(
        endpoint_url=endpoint, aws_access_key_id=LOGIN, aws_secret_access_key="wrong", local_cache_dir=tmp_path / "other"
    )
    with pytest.raises(ClientError, match="(?i)SignatureDoesNotMatch|Forbidden"):
        list(wrong.CloudPath(str(root)).iterdir())
