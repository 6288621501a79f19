"""s3fs, fsspec's file system for S3, with pandas on top."""

import os

import pandas
import pytest
import s3fs
from conftest import LOGIN, SPECIAL, contents, digest, fetch
from fsspec.asyn import sync


@pytest.fixture
def fs(endpoint):
    # Instances are cached by their arguments, and a listing of the last test is not valid in this one.
    return s3fs.S3FileSystem(key=LOGIN, secret=LOGIN, endpoint_url=endpoint, skip_instance_cache=True)


def test_buckets(fs, name):
    fs.mkdir(name)
    assert name in fs.ls("") and fs.exists(name)
    fs.rmdir(name)
    assert not fs.exists(name)


def test_files(fs, bucket, large, tmp_path):
    fs.put(str(large), f"{bucket}/in/large.bin")
    fs.get(f"{bucket}/in/large.bin", str(tmp_path / "back"))
    assert digest(tmp_path / "back") == digest(large)
    assert fs.info(f"{bucket}/in/large.bin")["size"] == large.stat().st_size
    with fs.open(f"{bucket}/in/large.bin", "rb") as file:
        file.seek(60 << 20)
        assert file.read(10) == large.read_bytes()[60 << 20 : (60 << 20) + 10]
    with fs.open(f"{bucket}/written", "wb") as file:
        for _ in range(15):
            file.write(os.urandom(5 << 20))
    assert fs.size(f"{bucket}/written") == 75 << 20
    assert fs.cat_file(f"{bucket}/in/large.bin", start=3, end=7) == large.read_bytes()[3:7]
    assert fs.cat_ranges([f"{bucket}/in/large.bin"] * 2, [0, 9], [2, 12]) == [
        large.read_bytes()[:2], large.read_bytes()[9:12]
    ]
    with fs.open(f"{bucket}/text", "w") as file:
        file.write("one\n")
    with fs.open(f"{bucket}/text", "a") as file:
        file.write("two\n")
    assert fs.read_text(f"{bucket}/text") == "one\ntwo\n"


def test_folders(fs, bucket, tree, tmp_path):
    fs.put(f"{tree}/", f"{bucket}/tree", recursive=True)
    assert sorted(fs.find(f"{bucket}/tree")) == [f"{bucket}/tree/{name}" for name in sorted(contents(tree))]
    assert f"{bucket}/tree/sub" in fs.ls(f"{bucket}/tree", detail=False) and fs.isdir(f"{bucket}/tree/sub")
    assert fs.glob(f"{bucket}/tree/**/*.txt")
    fs.get(f"{bucket}/tree/", str(tmp_path / "back"), recursive=True)
    assert contents(tmp_path / "back") == contents(tree)
    assert fs.du(f"{bucket}/tree") == sum(map(len, contents(tree).values()))
    fs.cp(f"{bucket}/tree/", f"{bucket}/copy/", recursive=True)
    fs.mv(f"{bucket}/copy/a.txt", f"{bucket}/moved.txt")
    fs.rm(f"{bucket}/tree", recursive=True)
    assert not fs.exists(f"{bucket}/tree") and fs.exists(f"{bucket}/moved.txt")
    assert [folder for folder, _, _ in fs.walk(f"{bucket}/copy")][-1].endswith("deep")


def test_copies_in_parts(fs, bucket, large):
    fs.put(str(large), f"{bucket}/from")
    # By default it would do so only above 5 GB.
    sync(fs.loop, fs._copy_managed, f"{bucket}/from", f"{bucket}/to", large.stat().st_size, 8 << 20)
    assert digest(fs.cat(f"{bucket}/to")) == digest(large)


def test_long_listings(fs, many):
    assert len(fs.ls(f"{many}/many")) == 1005 and len(fs.find(many)) == 1007


def test_presigned_urls(fs, bucket):
    fs.pipe(f"{bucket}/a b ü", b"x")
    assert fetch(fs.url(f"{bucket}/a b ü")) == (200, b"x")
    assert fetch(fs.url(f"{bucket}/put", client_method="put_object"), "PUT", b"y")[0] == 200
    assert fs.cat(f"{bucket}/put") == b"y"


def test_special_keys(fs, bucket):
    for key in SPECIAL:
        fs.pipe(f"{bucket}/{key}", key.encode())
        assert fs.cat_file(f"{bucket}/{key}") == key.encode()
    assert sorted(fs.find(bucket)) == sorted(f"{bucket}/{key}" for key in SPECIAL)


def test_metadata(fs, bucket):
    fs.pipe(f"{bucket}/k", b"x")
    fs.setxattr(f"{bucket}/k", stage="prod")
    assert fs.getxattr(f"{bucket}/k", "stage") == "prod"
    fs.touch(f"{bucket}/empty")
    assert fs.info(f"{bucket}/empty")["size"] == 0 and fs.modified(f"{bucket}/k")
    assert fs.checksum(f"{bucket}/k") != fs.checksum(f"{bucket}/empty")


def test_tags(fs, bucket):
    fs.pipe(f"{bucket}/k", b"x")
    fs.put_tags(f"{bucket}/k", {"stage": "prod"})
    assert fs.get_tags(f"{bucket}/k") == {"stage": "prod"}


def test_access_lists(fs, bucket):
    fs.pipe(f"{bucket}/k", b"x")
    fs.chmod(f"{bucket}/k", "private")


def test_exclusive(fs, bucket):
    fs.pipe_file(f"{bucket}/k", b"x", mode="create")
    with pytest.raises(OSError, match="(?i)pre-?condition"):
        fs.pipe_file(f"{bucket}/k", b"y", mode="create")
    with pytest.raises(OSError, match="(?i)pre-?condition|exists"), fs.open(f"{bucket}/k", "xb") as file:
        file.write(b"y")
    assert fs.cat(f"{bucket}/k") == b"x"


def test_versions(endpoint, fs, bucket):
    fs.make_bucket_versioned(bucket)
    versioned = s3fs.S3FileSystem(
        key=LOGIN, secret=LOGIN, endpoint_url=endpoint, version_aware=True, skip_instance_cache=True
    )
    for body in [b"one", b"two"]:
        versioned.pipe(f"{bucket}/k", body)
    found = versioned.object_version_info(f"{bucket}/k")
    with versioned.open(f"{bucket}/k", version_id=found[-1]["VersionId"]) as file:
        assert file.read() == b"one"


def test_pandas(endpoint, bucket):
    options = {"key": LOGIN, "secret": LOGIN, "client_kwargs": {"endpoint_url": endpoint}}
    frame = pandas.DataFrame({"epoch": [1, 2, 3], "loss": [0.9, 0.5, 0.3]})
    frame.to_parquet(f"s3://{bucket}/history.parquet", storage_options=options)
    frame.to_csv(f"s3://{bucket}/history.csv", index=False, storage_options=options)
    assert pandas.read_parquet(f"s3://{bucket}/history.parquet", storage_options=options).equals(frame)
    assert pandas.read_csv(f"s3://{bucket}/history.csv", storage_options=options).equals(frame)


def test_errors(fs, endpoint, bucket):
    for path in [f"{bucket}/no", "client-no-such-bucket/k"]:
        with pytest.raises(FileNotFoundError):
            fs.cat(path)
        assert not fs.exists(path)
    with pytest.raises(FileNotFoundError):
        fs.ls(f"{bucket}/no")
    wrong = s3fs.S3FileSystem(key=LOGIN, secret="wrong", endpoint_url=endpoint, skip_instance_cache=True)
    with pytest.raises(PermissionError):
        wrong.ls(bucket)


def test_many_at_once(fs, bucket):
    bodies = {f"{bucket}/c/{number}": os.urandom(50_000) for number in range(100)}
    fs.pipe(bodies)
    assert fs.cat(list(bodies)) == bodies
    fs.rm(f"{bucket}/c", recursive=True)
    assert fs.ls(bucket) == []
