"""minio-py, MinIO's client for Python."""

import datetime
import io
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from conftest import LOGIN, SPECIAL, digest, fetch
from minio import Minio, S3Error
from minio.commonconfig import ENABLED, REPLACE, ComposeSource, CopySource, Filter, Tags
from minio.datatypes import PostPolicy
from minio.deleteobjects import DeleteObject
from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule
from minio.versioningconfig import SUSPENDED, VersioningConfig


def connect(endpoint, secret=LOGIN):
    scheme, address = endpoint.split("://")
    return Minio(endpoint=address, access_key=LOGIN, secret_key=secret, secure=scheme == "https")


@pytest.fixture
def client(endpoint):
    return connect(endpoint)


def put(client, bucket, key, body, **more):
    return client.put_object(bucket_name=bucket, object_name=key, data=io.BytesIO(body), length=len(body), **more)


def get(client, bucket, key, **more):
    answer = client.get_object(bucket_name=bucket, object_name=key, **more)
    try:
        return answer.read()
    finally:
        answer.close()
        answer.release_conn()


def refused(code):
    return pytest.raises(S3Error, match=code)


def test_buckets(client, name):
    client.make_bucket(bucket_name=name)
    assert client.bucket_exists(bucket_name=name) and name in [bucket.name for bucket in client.list_buckets()]
    client.remove_bucket(bucket_name=name)
    assert not client.bucket_exists(bucket_name=name)


def test_files(client, bucket, large, tmp_path):
    client.fput_object(bucket_name=bucket, object_name="in/large.bin", file_path=str(large), metadata={"origin": "here"})
    stat = client.stat_object(bucket_name=bucket, object_name="in/large.bin")
    assert stat.size == large.stat().st_size and stat.metadata["x-amz-meta-origin"] == "here"
    client.fget_object(bucket_name=bucket, object_name="in/large.bin", file_path=str(tmp_path / "back"))
    assert digest(tmp_path / "back") == digest(large)
    assert get(client, bucket, "in/large.bin", offset=5, length=7) == large.read_bytes()[5:12]
    with large.open("rb") as source:
        client.put_object(bucket_name=bucket, object_name="stream", data=source, length=-1, part_size=10 << 20)
    assert client.stat_object(bucket_name=bucket, object_name="stream").size == large.stat().st_size


def test_listing(client, many):
    assert sum(1 for _ in client.list_objects(bucket_name=many, recursive=True)) == 1007
    assert sum(1 for _ in client.list_objects(bucket_name=many, recursive=True, use_api_v1=True)) == 1007
    top = [(entry.object_name, entry.is_dir) for entry in client.list_objects(bucket_name=many)]
    assert top == [("many/", True), ("other/", True), ("third/", True)]
    after = client.list_objects(bucket_name=many, start_after="many/1003", recursive=True)
    assert [entry.object_name for entry in after] == ["many/1004", "other/x", "third/y"]


def test_copies(client, bucket, large):
    client.fput_object(bucket_name=bucket, object_name="from", file_path=str(large))
    client.copy_object(bucket_name=bucket, object_name="to", source=CopySource(bucket_name=bucket, object_name="from"))
    # The parts of the new object are copied one by one.
    source = ComposeSource(bucket_name=bucket, object_name="from")
    client.compose_object(bucket_name=bucket, object_name="twice", sources=[source, source])
    assert digest(get(client, bucket, "twice")) == digest(large.read_bytes() * 2)
    source = CopySource(bucket_name=bucket, object_name="from")
    described = {"metadata": {"m": "2"}, "metadata_directive": REPLACE}
    client.copy_object(bucket_name=bucket, object_name="to", source=source, **described)
    assert client.stat_object(bucket_name=bucket, object_name="to").metadata["x-amz-meta-m"] == "2"


def test_deleting_many(client, bucket):
    for number in range(20):
        put(client, bucket, f"d/{number}", b"")
    keys = [DeleteObject(f"d/{number}") for number in range(20)]
    assert list(client.remove_objects(bucket_name=bucket, delete_object_list=keys)) == []
    assert list(client.list_objects(bucket_name=bucket, recursive=True)) == []
    put(client, bucket, "k", b"")
    client.remove_object(bucket_name=bucket, object_name="k")


def test_presigned_urls(client, bucket):
    where = {"bucket_name": bucket, "object_name": "a b ü"}
    assert fetch(client.presigned_put_object(**where), "PUT", b"x")[0] == 200
    assert fetch(client.presigned_get_object(**where)) == (200, b"x")


def test_presigned_post(client, endpoint, bucket):
    policy = PostPolicy(bucket, datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1))
    policy.add_starts_with_condition("key", "in/")
    policy.add_content_length_range_condition(1, 100)
    form = {**client.presigned_post_policy(policy), "key": "in/form.txt"}
    answer = requests.post(f"{endpoint}/{bucket}", data=form, files={"file": ("f", b"by form")})
    assert answer.status_code == 204, answer.text
    assert get(client, bucket, "in/form.txt") == b"by form"
    answer = requests.post(f"{endpoint}/{bucket}", data={**form, "key": "out/x"}, files={"file": ("f", b"x")})
    assert answer.status_code == 403


def test_tags(client, bucket):
    tags = Tags.new_object_tags()
    tags["stage"] = "prod"
    put(client, bucket, "k", b"x", tags=tags)
    assert client.get_object_tags(bucket_name=bucket, object_name="k") == {"stage": "prod"}
    client.delete_object_tags(bucket_name=bucket, object_name="k")
    assert client.get_object_tags(bucket_name=bucket, object_name="k") is None
    tags = Tags.new_bucket_tags()
    tags["team"] = "vision"
    client.set_bucket_tags(bucket_name=bucket, tags=tags)
    assert client.get_bucket_tags(bucket_name=bucket) == {"team": "vision"}


def test_special_keys(client, bucket):
    for key in SPECIAL:
        put(client, bucket, key, key.encode())
        assert get(client, bucket, key) == key.encode()
    found = [entry.object_name for entry in client.list_objects(bucket_name=bucket, recursive=True)]
    assert sorted(found) == sorted(SPECIAL)


def test_versions(client, bucket):
    client.set_bucket_versioning(bucket_name=bucket, config=VersioningConfig(ENABLED))
    assert client.get_bucket_versioning(bucket_name=bucket).status == ENABLED
    first = put(client, bucket, "k", b"one").version_id
    second = put(client, bucket, "k", b"two").version_id
    client.remove_object(bucket_name=bucket, object_name="k")
    found = list(client.list_objects(bucket_name=bucket, recursive=True, include_version=True))
    assert sorted(entry.version_id for entry in found if not entry.is_delete_marker) == sorted([first, second])
    assert len(found) == 3 and get(client, bucket, "k", version_id=first) == b"one"
    every = [DeleteObject(entry.object_name, entry.version_id) for entry in found]
    assert list(client.remove_objects(bucket_name=bucket, delete_object_list=every)) == []
    client.set_bucket_versioning(bucket_name=bucket, config=VersioningConfig(SUSPENDED))
    client.remove_bucket(bucket_name=bucket)


def test_lifecycle(client, bucket):
    assert client.get_bucket_lifecycle(bucket_name=bucket) is None
    rule = Rule(status=ENABLED, rule_filter=Filter(prefix="tmp/"), rule_id="old", expiration=Expiration(days=7))
    client.set_bucket_lifecycle(bucket_name=bucket, config=LifecycleConfig([rule]))
    assert client.get_bucket_lifecycle(bucket_name=bucket).rules[0].expiration.days == 7
    client.delete_bucket_lifecycle(bucket_name=bucket)


def test_errors(client, endpoint, bucket):
    with refused("NoSuchKey"):
        get(client, bucket, "no")
    with refused("NoSuchKey"):
        client.stat_object(bucket_name=bucket, object_name="no")
    with refused("NoSuchBucket"):
        get(client, "client-no-such-bucket", "k")
    with refused("SignatureDoesNotMatch"):
        connect(endpoint, secret="wrong").list_buckets()


def test_many_at_once(client, bucket):
    def round_trip(number):
        body = os.urandom(50_000 + number)
        put(client, bucket, f"c/{number}", body)
        return get(client, bucket, f"c/{number}") == body

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(round_trip, range(64)))
