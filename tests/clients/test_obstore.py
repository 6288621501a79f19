"""obstore: the Python interface to Rust's `object_store`, the S3 client of Polars, Delta and many others."""

import asyncio
import datetime
import os

import obstore
import pytest
from conftest import LOGIN, SPECIAL, digest, fetch
from obstore.exceptions import AlreadyExistsError, PermissionDeniedError, PreconditionError
from obstore.store import S3Store


def connect(endpoint, bucket, secret=LOGIN, **more):
    return S3Store(
        bucket, endpoint=endpoint, access_key_id=LOGIN, secret_access_key=secret, region="us-east-1",
        virtual_hosted_style_request=False, client_options={"allow_http": True}, retry_config={"max_retries": 0}, **more
    )


@pytest.fixture
def store(endpoint, bucket):
    return connect(endpoint, bucket)


def test_files(store, large):
    store.put("in/large.bin", large, attributes={"Content-Type": "text/x", "origin": "here"})
    found = store.get("in/large.bin")
    assert found.attributes["Content-Type"] == "text/x" and found.attributes["origin"] == "here"
    assert digest(bytes(found.bytes())) == digest(large)
    assert store.head("in/large.bin")["size"] == large.stat().st_size
    store.put("small", b"0123456789")
    assert bytes(store.get_range("small", start=2, end=5)) == b"234"
    assert [bytes(part) for part in store.get_ranges("small", starts=[0, 8], ends=[2, 10])] == [b"01", b"89"]
    assert bytes(store.get("small", options={"range": {"suffix": 3}}).bytes()) == b"789"
    assert b"".join(bytes(chunk) for chunk in store.get("small").stream()) == b"0123456789"


def test_streams(store, large):
    with obstore.open_writer(store, "out", buffer_size=6 << 20) as out:
        out.write(large.read_bytes())
    source = obstore.open_reader(store, "out")
    source.seek(60 << 20)
    assert bytes(source.read(7)) == large.read_bytes()[60 << 20 : (60 << 20) + 7]


def test_listing(endpoint, many, store):
    full = connect(endpoint, many)
    assert sum(len(page) for page in full.list("many")) == 1005
    assert full.list_with_delimiter()["common_prefixes"] == ["many", "other", "third"]
    after = [entry["path"] for page in full.list(offset="many/1003") for entry in page]
    assert after == ["many/1004", "other/x", "third/y"]
    assert [page for page in store.list()] == []


def test_copies_and_deletes(store):
    store.put("a", b"x")
    store.copy("a", "b")
    store.rename("b", "c")
    assert bytes(store.get("c").bytes()) == b"x"
    store.put("d/1", b"")
    store.delete(["a", "c", "d/1"])
    assert [page for page in store.list()] == []
    with pytest.raises(FileNotFoundError):
        store.get("b")


def test_conditions(store):
    first = store.put("k", b"1", mode="create")
    with pytest.raises(AlreadyExistsError):
        store.put("k", b"2", mode="create")
    second = store.put("k", b"2", mode={"e_tag": first["e_tag"]})
    with pytest.raises(PreconditionError):
        store.put("k", b"3", mode={"e_tag": first["e_tag"]})
    with pytest.raises(PreconditionError):
        store.get("k", options={"if_match": first["e_tag"]})
    assert bytes(store.get("k", options={"if_match": second["e_tag"]}).bytes()) == b"2"


def test_presigned_urls(store):
    day = datetime.timedelta(days=1)
    assert fetch(obstore.sign(store, "PUT", "a b ü", day), "PUT", b"x")[0] == 200
    assert fetch(obstore.sign(store, "GET", "a b ü", day)) == (200, b"x")


def test_special_keys(store):
    for key in SPECIAL:
        store.put(key, key.encode())
    for page in store.list():
        for entry in page:
            assert bytes(store.get(entry["path"]).bytes()) == entry["path"].encode()
    assert {entry["path"] for page in store.list() for entry in page} == set(SPECIAL)


def test_checksums(endpoint, bucket, large):
    summed = connect(endpoint, bucket, checksum_algorithm="SHA256")
    summed.put("small", b"x")
    summed.put("large", large)
    assert digest(bytes(summed.get("large").bytes())) == digest(large)


def test_tags(store, s3, bucket):
    store.put("k", b"x", tags={"stage": "prod"})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "stage", "Value": "prod"}]


def test_errors(store, endpoint, bucket):
    for missing in [store, connect(endpoint, "client-no-such-bucket")]:
        with pytest.raises(FileNotFoundError):
            missing.get("no")
        with pytest.raises(FileNotFoundError):
            missing.head("no")
    with pytest.raises(PermissionDeniedError):
        connect(endpoint, bucket, secret="wrong").put("k", b"x")


def test_many_at_once(store):
    async def round_trip(number):
        body = os.urandom(50_000 + number)
        await store.put_async(f"c/{number}", body)
        return bytes(await (await store.get_async(f"c/{number}")).bytes_async()) == body

    async def all_of_them():
        return await asyncio.gather(*map(round_trip, range(100)))

    assert all(asyncio.run(all_of_them()))
