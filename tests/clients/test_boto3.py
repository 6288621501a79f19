"""boto3 with an endpoint, a key pair and otherwise default settings."""

import base64
import datetime
import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
import requests
from boto3.s3.transfer import TransferConfig
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError
from conftest import LOGIN, SPECIAL, digest, fails_on, fetch

PARTS = TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=8 << 20)


@pytest.fixture
def resource(endpoint):
    return boto3.resource("s3", endpoint_url=endpoint)


def code(call, **arguments):
    """Returns status and code of the error that a call must raise."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_buckets(s3, name):
    s3.create_bucket(Bucket=name)
    s3.get_waiter("bucket_exists").wait(Bucket=name)
    assert name in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    assert code(s3.delete_bucket, Bucket=name) == (409, "BucketNotEmpty")
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)
    assert code(s3.head_bucket, Bucket=name) == (404, "404")


def test_files(s3, bucket, large, tmp_path):
    small = tmp_path / "small"
    small.write_bytes(b"small")
    for file in [small, large]:
        s3.upload_file(str(file), bucket, f"files/{file.name}", ExtraArgs={"Metadata": {"origin": "here"}})
        back = tmp_path / "back"
        s3.download_file(bucket, f"files/{file.name}", str(back))
        assert digest(back) == digest(file)
        head = s3.head_object(Bucket=bucket, Key=f"files/{file.name}")
        assert head["Metadata"] == {"origin": "here"} and head["ContentLength"] == file.stat().st_size
    stream = io.BytesIO()
    s3.download_fileobj(bucket, "files/small", stream)
    assert stream.getvalue() == b"small"
    s3.upload_fileobj(io.BytesIO(b"from memory"), bucket, "files/memory")
    body = s3.get_object(Bucket=bucket, Key="files/memory")["Body"]
    assert b"".join(body.iter_chunks(4)) == b"from memory"


def test_listing(s3, many, resource):
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=many))
    assert [len(page["Contents"]) for page in pages] == [1000, 7]
    assert len(list(resource.Bucket(many).objects.filter(Prefix="many/"))) == 1005
    top = s3.list_objects_v2(Bucket=many, Delimiter="/")
    assert [entry["Prefix"] for entry in top["CommonPrefixes"]] == ["many/", "other/", "third/"]
    assert "Contents" not in top and top["KeyCount"] == 3
    old = s3.list_objects(Bucket=many, Prefix="many/", Marker="many/1002")
    assert [entry["Key"] for entry in old["Contents"]] == ["many/1003", "many/1004"]
    after = s3.list_objects_v2(Bucket=many, StartAfter="many/1003", FetchOwner=True)
    assert [entry["Key"] for entry in after["Contents"]] == ["many/1004", "other/x", "third/y"]


def test_ranges(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    answer = s3.get_object(Bucket=bucket, Key="k", Range="bytes=2-4")
    assert answer["Body"].read() == b"234" and answer["ContentRange"] == "bytes 2-4/10"
    assert s3.get_object(Bucket=bucket, Key="k", Range="bytes=-3")["Body"].read() == b"789"
    assert code(s3.get_object, Bucket=bucket, Key="k", Range="bytes=99-") == (416, "InvalidRange")


def test_copies(s3, bucket, large, tmp_path):
    s3.upload_file(str(large), bucket, "from", ExtraArgs={"ContentType": "text/x", "Metadata": {"m": "1"}})
    source = {"Bucket": bucket, "Key": "from"}
    # Above the threshold this is a multipart copy.
    s3.copy(source, bucket, "to")
    s3.copy(source, bucket, "parts", Config=PARTS)
    for key in ["to", "parts"]:
        s3.download_file(bucket, key, str(tmp_path / key))
        assert digest(tmp_path / key) == digest(large)
    s3.copy_object(Bucket=bucket, Key="once", CopySource=source)
    assert s3.head_object(Bucket=bucket, Key="once")["Metadata"] == {"m": "1"}
    s3.copy_object(Bucket=bucket, Key="once", CopySource=source, MetadataDirective="REPLACE", Metadata={"m": "2"})
    assert s3.head_object(Bucket=bucket, Key="once")["Metadata"] == {"m": "2"}
    assert code(s3.copy_object, Bucket=bucket, Key="x", CopySource={"Bucket": bucket, "Key": "no"})[0] == 404


def test_uploads_in_parts(s3, bucket):
    upload = dict(Bucket=bucket, Key="k", UploadId=s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"])
    first, second = os.urandom(5 << 20), b"end"
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(PartNumber=number, Body=body, **upload)["ETag"]}
        for number, body in [(1, first), (2, second)]
    ]
    assert [part["Size"] for part in s3.list_parts(**upload)["Parts"]] == [5 << 20, 3]
    assert [entry["Key"] for entry in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == ["k"]
    s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **upload)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == first + second
    upload["UploadId"] = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    s3.abort_multipart_upload(**upload)
    assert code(s3.upload_part, PartNumber=1, Body=b"x", **upload) == (404, "NoSuchUpload")


def test_deleting_many(s3, bucket, resource):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: s3.put_object(Bucket=bucket, Key=f"d/{n}", Body=b""), range(50)))
    resource.Bucket(bucket).objects.filter(Prefix="d/").delete()
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "never"}]})
    assert answer["Deleted"][0]["Key"] == "never"


@pytest.mark.parametrize("signature", [None, "s3", "s3v4"])
def test_presigned_urls(endpoint, s3, bucket, signature):
    """By default, boto3 signs URLs for other endpoints with version 2."""
    signer = boto3.client("s3", endpoint_url=endpoint, config=Config(signature_version=signature))
    for key in ["k", "a b+ü.bin"]:
        where = {"Bucket": bucket, "Key": key}
        assert fetch(signer.generate_presigned_url("put_object", Params=where), "PUT", b"by link")[0] == 200
        assert fetch(signer.generate_presigned_url("get_object", Params=where)) == (200, b"by link")
        named = {**where, "ResponseContentDisposition": 'attachment; filename="m x.bin"'}
        answer = requests.get(signer.generate_presigned_url("get_object", Params=named))
        assert (answer.status_code, answer.headers["Content-Disposition"]) == (200, named["ResponseContentDisposition"])
        typed = signer.generate_presigned_url("put_object", Params={**where, "ContentType": "text/x"})
        assert requests.put(typed, data=b"typed", headers={"Content-Type": "text/x"}).status_code == 200
        assert s3.head_object(**where)["ContentType"] == "text/x"
    url = signer.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    assert fetch(url.replace("/k?", "/a%20b%2B%C3%BC.bin?"))[0] == 403
    past = signer.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=-10)
    assert fetch(past)[0] in (400, 403)


@pytest.mark.parametrize("signature", [None, "s3v4"])
def test_presigned_post(endpoint, bucket, signature):
    s3 = boto3.client("s3", endpoint_url=endpoint, config=Config(signature_version=signature))
    form = s3.generate_presigned_post(
        bucket, "in/${filename}", Fields={"acl": "private"},
        Conditions=[{"acl": "private"}, ["content-length-range", 1, 100]],
    )
    answer = requests.post(form["url"], data=form["fields"], files={"file": ("my file.bin", b"by form")})
    assert answer.status_code == 204, answer.text
    assert s3.get_object(Bucket=bucket, Key="in/my file.bin")["Body"].read() == b"by form"
    answer = requests.post(form["url"], data=form["fields"], files={"file": ("x", bytes(101))})
    assert answer.status_code == 400 and "EntityTooLarge" in answer.text
    answer = requests.post(form["url"], data={**form["fields"], "key": "elsewhere"}, files={"file": ("x", b"x")})
    assert answer.status_code == 403


def test_tags(s3, bucket):
    where = {"Bucket": bucket, "Key": "k"}
    s3.put_object(Body=b"x", Tagging="stage=prod&owner=a%20b", **where)
    assert s3.get_object_tagging(**where)["TagSet"] == [
        {"Key": "owner", "Value": "a b"}, {"Key": "stage", "Value": "prod"}
    ] or s3.get_object_tagging(**where)["TagSet"][0] == {"Key": "stage", "Value": "prod"}
    assert s3.get_object(**where)["TagCount"] == 2
    s3.put_object_tagging(Tagging={"TagSet": [{"Key": "stage", "Value": "test"}]}, **where)
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=where)
    assert s3.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"] == [{"Key": "stage", "Value": "test"}]
    s3.delete_object_tagging(**where)
    assert s3.get_object_tagging(**where)["TagSet"] == []
    assert code(s3.get_bucket_tagging, Bucket=bucket) == (404, "NoSuchTagSet")
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "team", "Value": "vision"}]})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "team", "Value": "vision"}]


def test_special_keys(s3, bucket):
    for key in SPECIAL:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), Metadata={"m": "x y"})
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
        s3.copy_object(Bucket=bucket, Key=f"copy/{key}", CopySource={"Bucket": bucket, "Key": key})
    found = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert sorted(found) == sorted(SPECIAL + [f"copy/{key}" for key in SPECIAL])


def test_versions(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"first")["VersionId"]
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"second")["VersionId"]
    assert s3.get_object(Bucket=bucket, Key="k")["VersionId"] == second != first
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=first)["Body"].read() == b"first"
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"before"
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] and code(s3.get_object, Bucket=bucket, Key="k") == (404, "NoSuchKey")
    listed = s3.list_object_versions(Bucket=bucket)
    assert [entry["VersionId"] for entry in listed["Versions"]] == [second, first, "null"]
    assert [entry["IsLatest"] for entry in listed["DeleteMarkers"]] == [True]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"second"
    s3.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "k", "VersionId": first})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"first"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"suspended")
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"suspended"


def test_emptying_a_bucket_with_versions(s3, bucket, resource):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for number in range(3):
        s3.put_object(Bucket=bucket, Key="k", Body=b"%d" % number)
    s3.delete_object(Bucket=bucket, Key="k")
    resource.Bucket(bucket).object_versions.delete()
    s3.delete_bucket(Bucket=bucket)


def test_conditions(s3, bucket):
    where = {"Bucket": bucket, "Key": "k"}
    etag = s3.put_object(Body=b"1", IfNoneMatch="*", **where)["ETag"]
    assert code(s3.put_object, Body=b"2", IfNoneMatch="*", **where) == (412, "PreconditionFailed")
    assert code(s3.put_object, Body=b"2", IfMatch='"other"', **where) == (412, "PreconditionFailed")
    s3.put_object(Body=b"2", IfMatch=etag, **where)
    assert code(s3.get_object, IfMatch=etag, **where) == (412, "PreconditionFailed")
    new = s3.head_object(**where)["ETag"]
    assert code(s3.get_object, IfNoneMatch=new, **where)[0] == 304


# MinIO uses a code of its own.
MISMATCH = [(400, "BadDigest"), (400, "XAmzContentChecksumMismatch")]


def crc64nvme(data):
    value = 0xFFFFFFFFFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x9A6C9329AC4BC9B5 if value & 1 else 0)
    return base64.b64encode((value ^ 0xFFFFFFFFFFFFFFFF).to_bytes(8, "big")).decode()


def test_checksums(s3, bucket, endpoint):
    where = {"Bucket": bucket, "Key": "k"}
    assert s3.put_object(Body=b"x", **where)["ChecksumCRC32"]
    assert s3.head_object(ChecksumMode="ENABLED", **where)["ChecksumCRC32"]
    s3.put_object(Body=b"x", ChecksumAlgorithm="SHA256", **where)
    wanted = base64.b64encode(hashlib.sha256(b"x").digest()).decode()
    assert s3.get_object(ChecksumMode="ENABLED", **where)["ChecksumSHA256"] == wanted
    # botocore repeats requests that were refused for their digest, up to five times.
    s3 = boto3.client("s3", endpoint_url=endpoint, config=Config(retries={"total_max_attempts": 1}))
    wanted = crc64nvme(b"123456789")
    assert base64.b64decode(wanted).hex() == "ae8b14860a799888"
    s3.put_object(Body=b"123456789", ChecksumCRC64NVME=wanted, **where)
    assert s3.head_object(ChecksumMode="ENABLED", **where)["ChecksumCRC64NVME"] == wanted
    assert code(s3.put_object, Body=b"other", ChecksumCRC64NVME=wanted, **where) in MISMATCH
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    assert code(s3.put_object, Body=b"x", ContentMD5=wrong, **where) == (400, "BadDigest")
    assert code(s3.put_object, Body=b"x", ContentMD5="short", **where) == (400, "InvalidDigest")


def test_attributes(s3, bucket, large):
    s3.upload_file(str(large), bucket, "k")
    asked = ["ETag", "ObjectSize", "ObjectParts", "StorageClass", "Checksum"]
    found = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=asked)
    assert found["ObjectSize"] == large.stat().st_size and found["ObjectParts"]["TotalPartsCount"] == 9
    assert found["ETag"] == s3.head_object(Bucket=bucket, Key="k")["ETag"].strip('"')


def test_access_lists(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="private")
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="private")
    for answer in [s3.get_object_acl(Bucket=bucket, Key="k"), s3.get_bucket_acl(Bucket=bucket)]:
        assert [grant["Permission"] for grant in answer["Grants"]] == ["FULL_CONTROL"]


@fails_on("MinIO", "it takes no CORS rules")
def test_cors(s3, bucket):
    assert code(s3.get_bucket_cors, Bucket=bucket) == (404, "NoSuchCORSConfiguration")
    rule = {"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["https://app.example"], "AllowedHeaders": ["*"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == [rule]
    s3.delete_bucket_cors(Bucket=bucket)


def test_lifecycle(s3, bucket):
    assert code(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == (404, "NoSuchLifecycleConfiguration")
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 7}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    found = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [(rule["ID"], rule["Expiration"]["Days"]) for rule in found] == [("old", 7)]
    s3.delete_bucket_lifecycle(Bucket=bucket)


def test_errors(s3, endpoint, bucket, name):
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=bucket, Key="no")
    with pytest.raises(s3.exceptions.NoSuchBucket):
        s3.list_objects_v2(Bucket="client-no-such-bucket")
    assert code(s3.head_object, Bucket=bucket, Key="no") == (404, "404")
    with pytest.raises(WaiterError):
        s3.get_waiter("object_exists").wait(
            Bucket=bucket, Key="no", WaiterConfig={"Delay": 0, "MaxAttempts": 2}
        )
    wrong = boto3.client("s3", endpoint_url=endpoint, aws_secret_access_key="wrong", aws_access_key_id=LOGIN)
    assert code(wrong.list_buckets) == (403, "SignatureDoesNotMatch")
    unknown = boto3.client("s3", endpoint_url=endpoint, aws_secret_access_key="x", aws_access_key_id="unknown")
    assert code(unknown.list_buckets) == (403, "InvalidAccessKeyId")
    unsigned = boto3.client("s3", endpoint_url=endpoint, config=Config(signature_version=UNSIGNED))
    assert code(unsigned.get_object, Bucket=bucket, Key="k") == (403, "AccessDenied")
    assert code(s3.create_bucket, Bucket="Not_A_Name") == (400, "InvalidBucketName")


def test_times_and_types(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"{}", ContentType="application/json", CacheControl="no-store")
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["ContentType"], head["CacheControl"]) == ("application/json", "no-store")
    age = datetime.datetime.now(datetime.timezone.utc) - head["LastModified"]
    assert abs(age) < datetime.timedelta(minutes=5)
    s3.get_waiter("object_exists").wait(Bucket=bucket, Key="k")


def test_many_at_once(s3, bucket, large, tmp_path):
    def round_trip(number):
        body = os.urandom(100_000 + number)
        s3.put_object(Bucket=bucket, Key=f"c/{number}", Body=body)
        return s3.get_object(Bucket=bucket, Key=f"c/{number}")["Body"].read() == body

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(round_trip, range(64)))
