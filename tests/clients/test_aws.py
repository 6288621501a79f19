"""`aws`, the AWS command line (version 1, from PyPI)."""

import io
import json

import pytest
from awscli.clidriver import create_clidriver
from conftest import SPECIAL, contents, digest, fetch

@pytest.fixture
def aws(endpoint, tmp_path, monkeypatch, capfdbinary):
    """Runs the command in this process, since most of its time is spent on starting."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_PAGER", "")

    def run(*arguments, fails=None, input=b""):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(input)))
        capfdbinary.readouterr()
        status = create_clidriver().main([str(argument) for argument in arguments])
        out, errors = (stream.decode() for stream in capfdbinary.readouterr())
        if fails is None:
            assert status == 0, out + errors
        else:
            assert status != 0 and fails in out + errors, out + errors
        return out

    return run


def test_files(aws, name, large, tmp_path):
    aws("s3", "mb", f"s3://{name}")
    assert name in aws("s3", "ls")
    aws("s3", "cp", large, f"s3://{name}/in/large.bin", "--metadata", "origin=here")
    assert str(large.stat().st_size) in aws("s3", "ls", f"s3://{name}/in/")
    aws("s3", "cp", f"s3://{name}/in/large.bin", "back.bin")
    assert digest(tmp_path / "back.bin") == digest(large)
    head = json.loads(aws("s3api", "head-object", "--bucket", name, "--key", "in/large.bin"))
    assert head["Metadata"] == {"origin": "here"}
    aws("s3api", "get-object", "--bucket", name, "--key", "in/large.bin", "--range", "bytes=1-3", "range.bin")
    assert (tmp_path / "range.bin").read_bytes() == large.read_bytes()[1:4]
    aws("s3", "mv", f"s3://{name}/in/large.bin", f"s3://{name}/moved.bin")
    assert "in/" not in aws("s3", "ls", f"s3://{name}")
    aws("s3", "cp", "-", f"s3://{name}/piped", input=b"from a pipe")
    assert aws("s3", "cp", f"s3://{name}/piped", "-") == "from a pipe"
    aws("s3", "rb", f"s3://{name}", fails="BucketNotEmpty")
    aws("s3", "rb", "--force", f"s3://{name}")


def test_copies_in_parts(aws, bucket, large):
    aws("s3", "cp", large, f"s3://{bucket}/from")
    aws("s3", "cp", f"s3://{bucket}/from", f"s3://{bucket}/to")
    head = json.loads(aws("s3api", "head-object", "--bucket", bucket, "--key", "to"))
    assert head["ContentLength"] == large.stat().st_size and head["ETag"].endswith('-9"')


def test_folders(aws, bucket, tree, tmp_path):
    aws("s3", "sync", "tree", f"s3://{bucket}/tree")
    assert aws("s3", "sync", "tree", f"s3://{bucket}/tree") == ""
    listed = aws("s3", "ls", "--recursive", f"s3://{bucket}/tree/")
    assert "tree/sub/ü.txt" in listed and "PRE sub/" in aws("s3", "ls", f"s3://{bucket}/tree/")
    aws("s3", "cp", "--recursive", f"s3://{bucket}/tree", "back")
    assert contents(tmp_path / "back") == contents(tree)
    (tree / "a.txt").unlink()
    assert "delete" in aws("s3", "sync", "--delete", "tree", f"s3://{bucket}/tree")
    aws("s3", "sync", f"s3://{bucket}/tree", f"s3://{bucket}/copy")
    aws("s3", "rm", "--recursive", f"s3://{bucket}/tree")
    aws("s3", "ls", f"s3://{bucket}/tree/", fails="")


def test_long_listings(aws, many):
    assert aws("s3", "ls", "--recursive", "--summarize", f"s3://{many}").endswith("Total Size: 1007\n")
    page = json.loads(aws("s3api", "list-objects-v2", "--bucket", many, "--max-items", "2", "--page-size", "2"))
    assert len(page["Contents"]) == 2 and page["NextToken"]


def test_presigned_urls(aws, bucket, s3):
    s3.put_object(Bucket=bucket, Key="k ü", Body=b"x")
    assert fetch(aws("s3", "presign", f"s3://{bucket}/k ü").strip()) == (200, b"x")


def test_special_keys(aws, bucket, tmp_path):
    for key in SPECIAL:
        aws("s3", "cp", "-", f"s3://{bucket}/{key}", input=key.encode())
    aws("s3", "cp", "--recursive", f"s3://{bucket}", "back")
    assert contents(tmp_path / "back") == {key: key.encode() for key in SPECIAL}


def test_checksums(aws, bucket, tmp_path):
    (tmp_path / "f").write_bytes(b"x")
    for algorithm in ["CRC32", "SHA256", "SHA1"]:
        aws("s3", "cp", "f", f"s3://{bucket}/{algorithm}", "--checksum-algorithm", algorithm)
        asked = ["--bucket", bucket, "--key", algorithm, "--checksum-mode", "ENABLED"]
        assert f"Checksum{algorithm}" in json.loads(aws("s3api", "head-object", *asked))


def test_tags(aws, bucket, s3):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    where = ["--bucket", bucket, "--key", "k"]
    aws("s3api", "put-object-tagging", *where, "--tagging", "TagSet=[{Key=stage,Value=prod}]")
    assert json.loads(aws("s3api", "get-object-tagging", *where))["TagSet"] == [{"Key": "stage", "Value": "prod"}]


def test_versions(aws, bucket, tmp_path):
    where = ["--bucket", bucket]
    aws("s3api", "put-bucket-versioning", *where, "--versioning-configuration", "Status=Enabled")
    for body in [b"one", b"two"]:
        aws("s3", "cp", "-", f"s3://{bucket}/k", input=body)
    aws("s3", "rm", f"s3://{bucket}/k")
    listed = json.loads(aws("s3api", "list-object-versions", *where))
    assert len(listed["Versions"]) == 2 and len(listed["DeleteMarkers"]) == 1
    first = listed["Versions"][1]["VersionId"]
    aws("s3api", "get-object", *where, "--key", "k", "--version-id", first, "f")
    assert (tmp_path / "f").read_bytes() == b"one"
    marker = listed["DeleteMarkers"][0]["VersionId"]
    aws("s3api", "delete-object", *where, "--key", "k", "--version-id", marker)
    assert aws("s3", "cp", f"s3://{bucket}/k", "-") == "two"


def test_errors(aws, bucket, monkeypatch):
    aws("s3", "ls", "s3://client-no-such-bucket", fails="NoSuchBucket")
    aws("s3", "cp", f"s3://{bucket}/no", "x", fails="(404)")
    aws("s3api", "get-object", "--bucket", bucket, "--key", "no", "x", fails="NoSuchKey")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    aws("s3", "ls", fails="SignatureDoesNotMatch")
