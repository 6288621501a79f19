"""DVC with a remote on S3 (dvc-s3)."""

import shutil

import pytest
from conftest import contents
from dvc.cli import main


@pytest.fixture
def dvc(endpoint, bucket, tmp_path, monkeypatch, capfd, caplog):
    """Runs the command in this process, in a repository with a remote."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")

    def run(*arguments, fails=None):
        capfd.readouterr()
        caplog.clear()
        status = main(list(arguments))
        said = "".join(capfd.readouterr()) + caplog.text
        if fails is None:
            assert status == 0, said
        else:
            assert status != 0 and fails in said, said
        return said

    run("init", "--no-scm", "-q")
    run("remote", "add", "-d", "store", f"s3://{bucket}/dvc")
    run("remote", "modify", "store", "endpointurl", endpoint)
    run.folder = folder
    return run


def test_push_status_pull_and_gc(dvc, tree, large, s3, bucket):
    shutil.copytree(tree, dvc.folder / "data")
    shutil.copy(large, dvc.folder / "model.bin")
    wanted = contents(dvc.folder / "data")
    dvc("add", "data", "model.bin")
    assert "new:" in dvc("status", "-c")
    assert "pushed" in dvc("push")
    assert "in sync" in dvc("status", "-c")
    assert "Everything is up to date" in dvc("push")
    shutil.rmtree(dvc.folder / ".dvc/cache")
    shutil.rmtree(dvc.folder / "data")
    (dvc.folder / "model.bin").unlink()
    dvc("pull")
    assert contents(dvc.folder / "data") == wanted
    assert (dvc.folder / "model.bin").stat().st_size == large.stat().st_size
    before = s3.list_objects_v2(Bucket=bucket)["KeyCount"]
    (dvc.folder / "model.bin.dvc").unlink()
    dvc("gc", "-w", "-c", "-f")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == before - 1


def test_importing_from_a_bucket(dvc, s3, bucket, endpoint):
    s3.put_object(Bucket=bucket, Key="raw/a b.csv", Body=b"1,2\n")
    dvc("remote", "add", "raw", f"s3://{bucket}/raw")
    dvc("remote", "modify", "raw", "endpointurl", endpoint)
    dvc("import-url", "remote://raw/a b.csv", "a.csv")
    assert (dvc.folder / "a.csv").read_bytes() == b"1,2\n"
    s3.put_object(Bucket=bucket, Key="raw/a b.csv", Body=b"3,4\n")
    dvc("update", "a.csv.dvc")
    assert (dvc.folder / "a.csv").read_bytes() == b"3,4\n"


def test_a_remote_with_versions(dvc, s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    dvc("remote", "modify", "store", "version_aware", "true")
    for body in ["one", "two"]:
        (dvc.folder / "f.txt").write_text(body)
        dvc("add", "f.txt")
        dvc("push")
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 2
    shutil.rmtree(dvc.folder / ".dvc/cache")
    (dvc.folder / "f.txt").unlink()
    dvc("pull")
    assert (dvc.folder / "f.txt").read_text() == "two"


def test_errors(dvc, tree):
    shutil.copytree(tree, dvc.folder / "data")
    dvc("add", "data")
    dvc("remote", "modify", "--local", "store", "secret_access_key", "wrong")
    dvc("remote", "modify", "--local", "store", "access_key_id", "minioadmin")
    dvc("push", fails="403")
    dvc("remote", "modify", "--local", "store", "secret_access_key", "minioadmin")
    dvc("remote", "modify", "store", "url", "s3://client-no-such-bucket/dvc")
    dvc("push", fails="bucket")
