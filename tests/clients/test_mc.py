"""mc, MinIO's command line."""

import json
import re

import pytest
import requests
from conftest import LOGIN, SPECIAL, contents, digest, fetch, program


@pytest.fixture
def mc(endpoint, tmp_path, monkeypatch):
    scheme, address = endpoint.split("://")
    monkeypatch.setenv("MC_HOST_s", f"{scheme}://{LOGIN}:{LOGIN}@{address}")
    monkeypatch.setenv("MC_HOST_wrong", f"{scheme}://{LOGIN}:wrongwrong@{address}")
    monkeypatch.setenv("MC_CONFIG_DIR", str(tmp_path / "mc"))
    # With it, mc starts with a HEAD, whose errors have no text.
    monkeypatch.delenv("AWS_REGION")
    return program("mc", "--disable-pager", "--no-color", cwd=tmp_path)


def test_files(mc, name, large, tmp_path):
    mc("mb", f"s/{name}")
    assert name in mc("ls", "s")
    mc("cp", "--attr", "origin=here", large, f"s/{name}/in/large.bin")
    stat = json.loads(mc("stat", "--json", f"s/{name}/in/large.bin"))
    assert stat["size"] == large.stat().st_size and stat["metadata"]["X-Amz-Meta-Origin"] == "here"
    mc("cp", f"s/{name}/in/large.bin", "back.bin")
    assert digest(tmp_path / "back.bin") == digest(large)
    mc("cp", f"s/{name}/in/large.bin", f"s/{name}/copy.bin")
    mc("mv", f"s/{name}/copy.bin", f"s/{name}/moved.bin")
    mc("pipe", f"s/{name}/piped", input=b"from a pipe")
    assert mc("cat", f"s/{name}/piped") == "from a pipe"
    assert mc("cat", "--offset", "5", f"s/{name}/piped") == "a pipe"
    assert "3 objects" in mc("du", f"s/{name}")
    mc("rb", f"s/{name}", fails="not empty")
    mc("rb", "--force", f"s/{name}")


def test_folders(mc, bucket, tree, tmp_path):
    mc("mirror", "tree", f"s/{bucket}/tree")
    again = json.loads(mc("mirror", "--json", "--summary", "tree", f"s/{bucket}/tree").splitlines()[-1])
    assert again.get("transferred", 0) == 0
    assert mc("diff", "tree", f"s/{bucket}/tree") == ""
    assert "sub/" in mc("ls", f"s/{bucket}/tree/") and "sub/deep/d.bin" in mc("ls", "-r", f"s/{bucket}/tree/")
    assert len(mc("find", f"s/{bucket}/tree", "--name", "*.txt").splitlines()) == 3
    mc("cp", "-r", f"s/{bucket}/tree/", "back")
    assert contents(tmp_path / "back") == contents(tree)
    (tree / "a.txt").unlink()
    mc("mirror", "--remove", "--overwrite", "tree", f"s/{bucket}/tree")
    mc("mirror", f"s/{bucket}/tree", f"s/{bucket}/copy")
    assert len(mc("ls", "-r", f"s/{bucket}/copy").splitlines()) == 4
    mc("rm", "-r", "--force", f"s/{bucket}/tree")
    assert mc("ls", f"s/{bucket}/tree/") == ""


def test_long_listings(mc, many):
    assert len(mc("ls", "-r", f"s/{many}").splitlines()) == 1007


def test_special_keys(mc, bucket):
    for key in SPECIAL:
        mc("pipe", f"s/{bucket}/{key}", input=key.encode())
        assert mc("cat", f"s/{bucket}/{key}") == key


def test_shares(mc, bucket, s3):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    link = json.loads(mc("share", "download", "--json", f"s/{bucket}/k"))["share"]
    assert fetch(link) == (200, b"x")


def test_sharing_an_upload(mc, bucket, s3, tmp_path):
    said = json.loads(mc("share", "upload", "--json", f"s/{bucket}/by-form"))["share"]
    (tmp_path / "f").write_bytes(b"by form")
    # It prints a curl command, to be completed with a file.
    fields = dict(re.findall(r"-F (\S+?)=(\S+)", said))
    url = re.search(r"http\S+", said)[0]
    fields.pop("file", None)
    answer = requests.post(url, data=fields, files={"file": b"by form"})
    assert answer.status_code == 204, answer.text
    assert s3.get_object(Bucket=bucket, Key="by-form")["Body"].read() == b"by form"


def test_tags(mc, bucket, s3):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    mc("tag", "set", f"s/{bucket}/k", "stage=prod&team=vision")
    assert json.loads(mc("tag", "list", "--json", f"s/{bucket}/k"))["tagset"] == {"stage": "prod", "team": "vision"}
    mc("tag", "remove", f"s/{bucket}/k")
    mc("tag", "set", f"s/{bucket}", "team=vision")


def test_versions(mc, bucket):
    mc("version", "enable", f"s/{bucket}")
    assert "enabled" in mc("version", "info", f"s/{bucket}")
    for body in [b"one", b"two"]:
        mc("pipe", f"s/{bucket}/k", input=body)
    mc("rm", f"s/{bucket}/k")
    assert len(mc("ls", "--versions", f"s/{bucket}/k").splitlines()) == 3
    mc("undo", "--force", f"s/{bucket}/k")
    assert mc("cat", f"s/{bucket}/k") == "two"
    mc("rm", "--versions", "-r", "--force", f"s/{bucket}")
    assert mc("ls", "--versions", f"s/{bucket}") == ""
    mc("version", "suspend", f"s/{bucket}")


def test_lifecycle(mc, bucket):
    mc("ilm", "rule", "add", "--prefix", "tmp/", "--expire-days", "7", f"s/{bucket}")
    assert "tmp/" in mc("ilm", "rule", "ls", f"s/{bucket}")


def test_abandoned_uploads(mc, bucket, s3):
    s3.create_multipart_upload(Bucket=bucket, Key="abandoned")
    assert "abandoned" in mc("ls", "--incomplete", f"s/{bucket}")
    mc("rm", "--incomplete", "-r", "--force", f"s/{bucket}")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_errors(mc, bucket):
    mc("ls", "s/client-no-such-bucket", fails="does not exist")
    mc("cat", f"s/{bucket}/no", fails="does not exist")
    mc("ls", f"wrong/{bucket}", fails="signature")
