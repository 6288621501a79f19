"""rclone, with the provider `Other`."""

import json

import pytest
from conftest import SPECIAL, contents, digest, fetch, program


@pytest.fixture
def rclone(endpoint, tmp_path, monkeypatch):
    for setting, value in {"TYPE": "s3", "PROVIDER": "Other", "ENV_AUTH": "true", "ENDPOINT": endpoint}.items():
        monkeypatch.setenv(f"RCLONE_CONFIG_S_{setting}", value)
    monkeypatch.setenv("RCLONE_CONFIG", str(tmp_path / "rclone.conf"))
    return program("rclone", "--retries", "1", "--low-level-retries", "1", cwd=tmp_path)


def test_files(rclone, name, large, tmp_path):
    rclone("mkdir", f"s:{name}")
    assert name in rclone("lsd", "s:")
    rclone("copyto", large, f"s:{name}/once.bin")
    rclone("copyto", "--s3-upload-cutoff", "8M", "--s3-chunk-size", "8M", large, f"s:{name}/in/large.bin")
    for key in ["once.bin", "in/large.bin"]:
        rclone("copyto", f"s:{name}/{key}", "back.bin")
        assert digest(tmp_path / "back.bin") == digest(large)
    assert rclone("cat", "--offset", "5", "--count", "3", f"s:{name}/in/large.bin", binary=True) == large.read_bytes()[5:8]
    rclone("copyto", f"s:{name}/once.bin", f"s:{name}/copy.bin")
    rclone("copyto", "--s3-copy-cutoff", "8M", "--s3-chunk-size", "8M", f"s:{name}/in/large.bin", f"s:{name}/parts.bin")
    rclone("moveto", f"s:{name}/parts.bin", f"s:{name}/moved.bin")
    assert rclone("lsf", f"s:{name}").splitlines() == ["copy.bin", "in/", "moved.bin", "once.bin"]
    assert json.loads(rclone("lsjson", "--stat", f"s:{name}/moved.bin"))["Size"] == large.stat().st_size
    rclone("rcat", f"s:{name}/piped", input=b"from a pipe")
    assert rclone("cat", f"s:{name}/piped") == "from a pipe"
    rclone("check", "--download", f"s:{name}/in", f"s:{name}/in")
    rclone("purge", f"s:{name}")
    assert name not in rclone("lsd", "s:")


def test_folders(rclone, bucket, tree, tmp_path):
    rclone("sync", "tree", f"s:{bucket}/tree")
    again = rclone("sync", "--verbose", "--stats-one-line", "tree", f"s:{bucket}/tree", errors=True)
    assert "There was nothing to transfer" in again
    rclone("check", "tree", f"s:{bucket}/tree")
    assert sorted(rclone("lsf", "-R", "--files-only", f"s:{bucket}/tree").splitlines()) == sorted(contents(tree))
    rclone("copy", f"s:{bucket}/tree", "back")
    assert contents(tmp_path / "back") == contents(tree)
    (tree / "a.txt").unlink()
    rclone("sync", "tree", f"s:{bucket}/tree")
    rclone("copy", "--metadata", f"s:{bucket}/tree", f"s:{bucket}/copy")
    assert json.loads(rclone("size", "--json", f"s:{bucket}/copy"))["count"] == 4
    rclone("delete", f"s:{bucket}/copy")


def test_long_listings(rclone, many):
    for more in [[], ["--fast-list"], ["--s3-list-version", "1"]]:
        assert json.loads(rclone("size", "--json", *more, f"s:{many}"))["count"] == 1007


def test_special_keys(rclone, bucket):
    for key in SPECIAL:
        rclone("rcat", f"s:{bucket}/{key}", input=key.encode())
    assert sorted(rclone("lsf", "-R", "--files-only", f"s:{bucket}").splitlines()) == sorted(SPECIAL)
    for key in SPECIAL:
        assert rclone("cat", f"s:{bucket}/{key}") == key


def test_presigned_urls(rclone, bucket, s3):
    s3.put_object(Bucket=bucket, Key="a b ü", Body=b"x")
    assert fetch(rclone("link", "--expire", "1h", f"s:{bucket}/a b ü").strip()) == (200, b"x")


def test_abandoned_uploads(rclone, bucket, s3):
    s3.create_multipart_upload(Bucket=bucket, Key="abandoned")
    assert "abandoned" in rclone("backend", "list-multipart-uploads", f"s:{bucket}")
    rclone("backend", "cleanup", "-o", "max-age=0s", f"s:{bucket}")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_versions(rclone, bucket):
    assert "Enabled" in rclone("backend", "versioning", f"s:{bucket}", "Enabled")
    for body in [b"one", b"two!"]:
        rclone("rcat", f"s:{bucket}/k.txt", input=body)
    rclone("deletefile", f"s:{bucket}/k.txt")
    found = json.loads(rclone("lsjson", "--s3-versions", f"s:{bucket}"))
    assert sorted(entry["Size"] for entry in found) == [3, 4]
    rclone("backend", "cleanup-hidden", f"s:{bucket}")
    assert rclone("lsf", "--s3-versions", f"s:{bucket}") == ""


def test_errors(rclone, bucket, monkeypatch):
    rclone("lsf", "s:client-no-such-bucket", fails="directory not found")
    rclone("deletefile", f"s:{bucket}/no", fails="not found")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    rclone("lsd", "s:", fails="SignatureDoesNotMatch")


def test_many_at_once(rclone, bucket, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(200):
        (folder / f"{number}").write_bytes(b"%d" % number * 1000)
    rclone("copy", "--transfers", "32", "files", f"s:{bucket}/files")
    rclone("check", "--download", "--checkers", "32", "files", f"s:{bucket}/files")
