import base64
import datetime
import hashlib

from common import BUCKET, body, keys, refused, run, s3

UTC = datetime.timezone.utc


def buckets():
    s3.create_bucket(Bucket="second")
    s3.create_bucket(Bucket="second")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == [BUCKET, "second"]
    page = s3.list_buckets(MaxBuckets=1)
    assert [bucket["Name"] for bucket in page["Buckets"]] == [BUCKET]
    page = s3.list_buckets(MaxBuckets=1, ContinuationToken=page["ContinuationToken"])
    assert [bucket["Name"] for bucket in page["Buckets"]] == ["second"] and "ContinuationToken" not in page
    assert s3.head_bucket(Bucket="second")["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert s3.get_bucket_location(Bucket="second")["LocationConstraint"] is None
    refused(404, "NoSuchBucket", s3.head_bucket, Bucket="third")
    refused(404, "NoSuchBucket", s3.get_bucket_location, Bucket="third")
    refused(404, "NoSuchBucket", s3.put_object, Bucket="third", Key="k", Body=b"x")
    refused(404, "NoSuchBucket", s3.get_object, Bucket="third", Key="k")
    refused(404, "NoSuchBucket", s3.list_objects_v2, Bucket="third")
    refused(404, "NoSuchBucket", s3.delete_object, Bucket="third", Key="k")
    refused(404, "NoSuchBucket", s3.create_multipart_upload, Bucket="third", Key="k")
    s3.put_object(Bucket="second", Key="k", Body=b"x")
    refused(409, "BucketNotEmpty", s3.delete_bucket, Bucket="second")
    s3.delete_object(Bucket="second", Key="k")
    s3.delete_bucket(Bucket="second")
    refused(404, "NoSuchBucket", s3.delete_bucket, Bucket="second")


def headers_and_metadata_are_kept():
    expires = datetime.datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    described = dict(
        ContentType="application/x-model",
        CacheControl="max-age=60",
        ContentDisposition='attachment; filename="m.bin"',
        ContentEncoding="zstd",
        ContentLanguage="en",
        Expires=expires,
        Metadata={"accuracy": "0.97", "name": "resume"},
    )
    put = s3.put_object(Bucket=BUCKET, Key="described", Body=b"weights", **described)
    assert put["ETag"] == '"%s"' % hashlib.md5(b"weights").hexdigest()
    for answer in [s3.head_object(Bucket=BUCKET, Key="described"), s3.get_object(Bucket=BUCKET, Key="described")]:
        for name, value in described.items():
            assert answer[name] == value, (name, answer[name])
        assert answer["ETag"] == put["ETag"] and answer["ContentLength"] == 7
        age = datetime.datetime.now(UTC) - answer["LastModified"]
        assert datetime.timedelta(0) <= age < datetime.timedelta(seconds=60), age
    s3.put_object(Bucket=BUCKET, Key="described", Body=b"again")
    plain = s3.head_object(Bucket=BUCKET, Key="described")
    assert plain["Metadata"] == {} and plain["ContentType"] == "binary/octet-stream", plain


def keys_of_every_kind():
    names = ["a", "a/", "a/b", "a//b", "/lead", "trail/", "sp ace", "pl+us", "per%cent", "q?x=1&y", "h#ash", "ü/é/日本/🦀",
             "..", "../up", "./here", "back\\slash", "quo\"te'<&>", "tab\there", "k" * 1024, "ü" * 512]
    for name in names:
        s3.put_object(Bucket=BUCKET, Key=name, Body=name.encode())
    for name in names:
        assert body(name) == name.encode(), name
    found = keys()
    assert found == sorted(found, key=lambda key: key.encode()), "not in byte order"
    assert set(names) <= set(found), set(names) - set(found)
    refused(400, "KeyTooLongError", s3.put_object, Bucket=BUCKET, Key="k" * 1025, Body=b"")
    s3.put_object(Bucket=BUCKET, Key="empty", Body=b"")
    assert body("empty") == b"" and s3.head_object(Bucket=BUCKET, Key="empty")["ContentLength"] == 0
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": name} for name in names]})
    assert len(answer["Deleted"]) == len(names) and "Errors" not in answer
    assert not set(names) & set(keys())


def ranges():
    s3.put_object(Bucket=BUCKET, Key="digits", Body=b"0123456789")
    for asked, text, content_range in [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=8-", b"89", "bytes 8-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=3-1000", b"3456789", "bytes 3-9/10"),
    ]:
        answer = s3.get_object(Bucket=BUCKET, Key="digits", Range=asked, ChecksumMode="ENABLED")
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert answer["ContentRange"] == content_range and answer["Body"].read() == text, asked
        head = s3.head_object(Bucket=BUCKET, Key="digits", Range=asked)
        assert head["ResponseMetadata"]["HTTPStatusCode"] == 206 and head["ContentLength"] == len(text)
    refused(416, "InvalidRange", s3.get_object, Bucket=BUCKET, Key="digits", Range="bytes=10-")
    answer = s3.get_object(Bucket=BUCKET, Key="digits", PartNumber=1)
    assert answer["Body"].read() == b"0123456789"
    refused(416, "InvalidPartNumber", s3.get_object, Bucket=BUCKET, Key="digits", PartNumber=2)


def response_overrides():
    overrides = dict(
        ResponseContentType="text/x-other",
        ResponseContentDisposition="inline",
        ResponseCacheControl="no-store",
        ResponseContentLanguage="de",
        ResponseContentEncoding="identity",
    )
    for answer in [s3.get_object(Bucket=BUCKET, Key="digits", **overrides), s3.head_object(Bucket=BUCKET, Key="digits", **overrides)]:
        for name, value in overrides.items():
            assert answer[name.removeprefix("Response")] == value, (name, answer)


def conditional_reads():
    etag = s3.head_object(Bucket=BUCKET, Key="digits")["ETag"]
    modified = s3.head_object(Bucket=BUCKET, Key="digits")["LastModified"]
    before, other = modified - datetime.timedelta(hours=1), '"00000000000000000000000000000000"'
    for call in [s3.get_object, s3.head_object]:
        call(Bucket=BUCKET, Key="digits", IfMatch=etag)
        call(Bucket=BUCKET, Key="digits", IfMatch=etag, IfUnmodifiedSince=before)
        call(Bucket=BUCKET, Key="digits", IfNoneMatch=other)
        call(Bucket=BUCKET, Key="digits", IfModifiedSince=before)
        call(Bucket=BUCKET, Key="digits", IfUnmodifiedSince=modified)
        for status, condition in [
            (412, dict(IfMatch=other)),
            (412, dict(IfUnmodifiedSince=before)),
            (304, dict(IfNoneMatch=etag)),
            (304, dict(IfNoneMatch="*")),
            (304, dict(IfModifiedSince=modified)),
            (304, dict(IfNoneMatch=etag, IfModifiedSince=before)),
        ]:
            code = "PreconditionFailed" if status == 412 else "304"
            refused(status, code, call, Bucket=BUCKET, Key="digits", **condition)


def conditional_writes():
    refused(412, "PreconditionFailed", s3.put_object, Bucket=BUCKET, Key="digits", Body=b"x", IfNoneMatch="*")
    refused(412, "PreconditionFailed", s3.put_object, Bucket=BUCKET, Key="digits", Body=b"x", IfMatch='"x"')
    refused(404, "NoSuchKey", s3.put_object, Bucket=BUCKET, Key="missing", Body=b"x", IfMatch='"x"')
    refused(412, "PreconditionFailed", s3.delete_object, Bucket=BUCKET, Key="digits", IfMatch='"x"')
    assert body("digits") == b"0123456789"
    etag = s3.put_object(Bucket=BUCKET, Key="created", Body=b"1", IfNoneMatch="*")["ETag"]
    etag = s3.put_object(Bucket=BUCKET, Key="created", Body=b"2", IfMatch=etag)["ETag"]
    s3.delete_object(Bucket=BUCKET, Key="created", IfMatch=etag)
    refused(404, "NoSuchKey", s3.delete_object, Bucket=BUCKET, Key="created", IfMatch=etag)
    large = bytes(6 << 20)
    refused(412, "PreconditionFailed", s3.put_object, Bucket=BUCKET, Key="digits", Body=large, IfNoneMatch="*")


def deletes():
    s3.delete_object(Bucket=BUCKET, Key="never there")
    s3.put_object(Bucket=BUCKET, Key="d1", Body=b"")
    etag = s3.put_object(Bucket=BUCKET, Key="d2", Body=b"2")["ETag"]
    wanted = [{"Key": "d1"}, {"Key": "never there"}, {"Key": "d2", "ETag": '"other"'}]
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": wanted})
    assert [entry["Key"] for entry in answer["Deleted"]] == ["d1", "never there"], answer
    assert [(entry["Key"], entry["Code"]) for entry in answer["Errors"]] == [("d2", "PreconditionFailed")], answer
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "d2", "ETag": etag}], "Quiet": True})
    assert "Deleted" not in answer and "Errors" not in answer, answer
    refused(404, "NoSuchKey", s3.get_object, Bucket=BUCKET, Key="d2")
    many = {"Objects": [{"Key": f"k{n}"} for n in range(1001)]}
    refused(400, "MalformedXML", s3.delete_objects, Bucket=BUCKET, Delete=many)


def copies():
    s3.put_object(Bucket=BUCKET, Key="from", Body=b"bytes", ContentType="text/plain", Metadata={"m": "1"})
    source = {"Bucket": BUCKET, "Key": "from"}
    result = s3.copy_object(Bucket=BUCKET, Key="to ü", CopySource=source)["CopyObjectResult"]
    assert result["ETag"] == s3.head_object(Bucket=BUCKET, Key="from")["ETag"]
    copy = s3.head_object(Bucket=BUCKET, Key="to ü")
    assert copy["ContentType"] == "text/plain" and copy["Metadata"] == {"m": "1"}, copy
    s3.copy_object(Bucket=BUCKET, Key="to ü", CopySource=source, MetadataDirective="REPLACE", Metadata={"m": "2"})
    copy = s3.head_object(Bucket=BUCKET, Key="to ü")
    assert copy["ContentType"] == "binary/octet-stream" and copy["Metadata"] == {"m": "2"}, copy
    s3.delete_object(Bucket=BUCKET, Key="from")
    assert body("to ü") == b"bytes"
    source = {"Bucket": BUCKET, "Key": "to ü"}
    refused(404, "NoSuchKey", s3.copy_object, Bucket=BUCKET, Key="x", CopySource={"Bucket": BUCKET, "Key": "from"})
    refused(404, "NoSuchBucket", s3.copy_object, Bucket="third", Key="x", CopySource=source)
    refused(400, "InvalidRequest", s3.copy_object, Bucket=BUCKET, Key="to ü", CopySource=source)
    etag = s3.head_object(Bucket=BUCKET, Key="to ü")["ETag"]
    s3.copy_object(Bucket=BUCKET, Key="x", CopySource=source, CopySourceIfMatch=etag)
    for condition in [dict(CopySourceIfMatch='"x"'), dict(CopySourceIfNoneMatch=etag)]:
        refused(412, "PreconditionFailed", s3.copy_object, Bucket=BUCKET, Key="x", CopySource=source, **condition)
    summed = s3.copy_object(Bucket=BUCKET, Key="x", CopySource=source, ChecksumAlgorithm="SHA256")
    expected = base64.b64encode(hashlib.sha256(b"bytes").digest()).decode()
    assert summed["CopyObjectResult"]["ChecksumSHA256"] == expected, summed


run(buckets, headers_and_metadata_are_kept, keys_of_every_kind, ranges, response_overrides, conditional_reads,
    conditional_writes, deletes, copies)
