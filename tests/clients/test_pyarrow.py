"""pyarrow's S3FileSystem, based on the AWS C++ SDK, and datasets on it."""

import os
from concurrent.futures import ThreadPoolExecutor

import pyarrow
import pyarrow.dataset
import pyarrow.parquet
import pytest
from conftest import LOGIN, SPECIAL, digest
from pyarrow import fs as files


def connect(endpoint, secret=LOGIN, **more):
    scheme, address = endpoint.split("://")
    return files.S3FileSystem(
        access_key=LOGIN, secret_key=secret, endpoint_override=address, scheme=scheme, region="us-east-1", **more
    )


@pytest.fixture
def fs(endpoint):
    return connect(endpoint)


def test_buckets(endpoint, name):
    fs = connect(endpoint, allow_bucket_creation=True, allow_bucket_deletion=True)
    fs.create_dir(name)
    assert fs.get_file_info(name).type == files.FileType.Directory
    fs.delete_dir(name)
    assert fs.get_file_info(name).type == files.FileType.NotFound


def test_files(fs, bucket, large):
    with fs.open_output_stream(f"{bucket}/large.bin", metadata={"Content-Type": "text/x"}) as out:
        out.write(large.read_bytes())
    assert fs.get_file_info(f"{bucket}/large.bin").size == large.stat().st_size
    with fs.open_input_stream(f"{bucket}/large.bin") as source:
        assert digest(source.readall()) == digest(large)
        assert source.metadata()["Content-Type"] == b"text/x"
    with fs.open_input_file(f"{bucket}/large.bin") as source:
        assert source.read_at(5, 60 << 20) == large.read_bytes()[60 << 20 : (60 << 20) + 5]
        source.seek(-4, os.SEEK_END)
        assert source.read() == large.read_bytes()[-4:]
    with fs.open_output_stream(f"{bucket}/empty"):
        pass
    assert fs.get_file_info(f"{bucket}/empty").size == 0


def test_folders(fs, bucket, tree):
    files.copy_files(str(tree), f"{bucket}/tree", destination_filesystem=fs)
    selected = fs.get_file_info(files.FileSelector(f"{bucket}/tree", recursive=True))
    assert f"{bucket}/tree/sub/ü.txt" in [info.path for info in selected]
    top = fs.get_file_info(files.FileSelector(f"{bucket}/tree"))
    assert sorted(info.base_name for info in top) == ["a.txt", "b c.txt", "sub"]
    fs.create_dir(f"{bucket}/made")
    fs.copy_file(f"{bucket}/tree/a.txt", f"{bucket}/made/a.txt")
    fs.move(f"{bucket}/made/a.txt", f"{bucket}/made/b.txt")
    assert fs.get_file_info(f"{bucket}/made/a.txt").type == files.FileType.NotFound
    fs.delete_dir_contents(f"{bucket}/tree")
    fs.delete_file(f"{bucket}/made/b.txt")
    fs.delete_dir(f"{bucket}/made")
    left = fs.get_file_info(files.FileSelector(bucket, recursive=True))
    assert [info.path for info in left if info.is_file] == []


def test_long_listings(fs, many):
    assert len(fs.get_file_info(files.FileSelector(f"{many}/many"))) == 1005


def test_special_keys(fs, bucket):
    for key in SPECIAL:
        with fs.open_output_stream(f"{bucket}/{key}") as out:
            out.write(key.encode())
        fs.copy_file(f"{bucket}/{key}", f"{bucket}/copy")
        with fs.open_input_stream(f"{bucket}/copy") as source:
            assert source.read() == key.encode()


def test_datasets(fs, bucket):
    table = pyarrow.table({"run": ["a", "b"] * 500, "epoch": list(range(1000)), "loss": [1 / (n + 1) for n in range(1000)]})
    where = f"{bucket}/runs"
    pyarrow.dataset.write_dataset(table, where, format="parquet", filesystem=fs, partitioning=["run"])
    found = pyarrow.dataset.dataset(where, format="parquet", filesystem=fs, partitioning=["run"])
    assert found.count_rows() == 1000
    last = found.to_table(filter=pyarrow.dataset.field("epoch") == 999)
    assert last.to_pylist() == [{"epoch": 999, "loss": 1 / 1000, "run": "b"}]
    pyarrow.dataset.write_dataset(
        table, where, format="parquet", filesystem=fs, partitioning=["run"], existing_data_behavior="delete_matching"
    )
    pyarrow.parquet.write_table(table, f"{bucket}/one.parquet", filesystem=fs)
    assert pyarrow.parquet.read_table(f"{bucket}/one.parquet", filesystem=fs, columns=["loss"]).num_rows == 1000


def test_errors(fs, endpoint, bucket):
    for path in [f"{bucket}/no", "client-no-such-bucket/k"]:
        with pytest.raises(FileNotFoundError):
            fs.open_input_stream(path)
        assert fs.get_file_info(path).type == files.FileType.NotFound
    with pytest.raises(FileNotFoundError):
        fs.get_file_info(files.FileSelector(f"{bucket}/no"))
    with pytest.raises(OSError, match="(?i)signature|ACCESS_DENIED|forbidden"):
        connect(endpoint, secret="wrong").get_file_info(files.FileSelector(bucket))


def test_many_at_once(fs, bucket):
    def round_trip(number):
        body = os.urandom(10_000 + number)
        with fs.open_output_stream(f"{bucket}/c/{number}") as out:
            out.write(body)
        with fs.open_input_stream(f"{bucket}/c/{number}") as source:
            return source.read() == body

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(round_trip, range(64)))
