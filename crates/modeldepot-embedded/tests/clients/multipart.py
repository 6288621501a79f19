import hashlib
import base64
import os
import zlib

from common import BUCKET, body, refused, run, s3

MIB = 1 << 20
FIRST, LAST = os.urandom(5 * MIB), os.urandom(MIB)


def crc32(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def begin(key, **arguments):
    return dict(Bucket=BUCKET, Key=key, UploadId=s3.create_multipart_upload(Bucket=BUCKET, Key=key, **arguments)["UploadId"])


def put(upload, number, data, **arguments):
    answer = s3.upload_part(**upload, PartNumber=number, Body=data, **arguments)
    return {"PartNumber": number, "ETag": answer["ETag"]}


def complete(upload, parts, **arguments):
    return s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, **arguments)


def composite(algorithm, *parts):
    digest = hashlib.new(algorithm, b"".join(hashlib.new(algorithm, part).digest() for part in parts))
    return base64.b64encode(digest.digest()).decode() + f"-{len(parts)}"


def a_whole_upload():
    upload = begin("k", ContentType="text/x", Metadata={"m": "1"})
    parts = [put(upload, 2, FIRST), put(upload, 7, LAST)]
    done = complete(upload, parts, MpuObjectSize=len(FIRST + LAST))
    etag = hashlib.md5(hashlib.md5(FIRST).digest() + hashlib.md5(LAST).digest()).hexdigest() + "-2"
    assert done["ETag"] == f'"{etag}"' and done["Bucket"] == BUCKET and done["Key"] == "k"
    head = s3.head_object(Bucket=BUCKET, Key="k")
    assert head["ETag"] == f'"{etag}"' and head["ContentType"] == "text/x" and head["Metadata"] == {"m": "1"}, head
    assert body("k") == FIRST + LAST
    assert body("k", Range=f"bytes={5 * MIB - 2}-{5 * MIB + 1}") == FIRST[-2:] + LAST[:2]
    second = s3.get_object(Bucket=BUCKET, Key="k", PartNumber=7)
    assert second["PartsCount"] == 2 and second["Body"].read() == LAST
    refused(404, "NoSuchUpload", complete, upload=upload, parts=parts)


def part_copies():
    upload = begin("copied")
    source = {"Bucket": BUCKET, "Key": "k"}
    one = s3.upload_part_copy(**upload, PartNumber=1, CopySource=source, CopySourceRange=f"bytes=1-{5 * MIB}")
    two = s3.upload_part_copy(**upload, PartNumber=2, CopySource=source)
    refused(400, "InvalidArgument", s3.upload_part_copy, **upload, PartNumber=3, CopySource=source, CopySourceRange="bytes=5-")
    refused(416, "InvalidRange", s3.upload_part_copy, **upload, PartNumber=3, CopySource=source, CopySourceRange="bytes=0-99999999")
    refused(412, "PreconditionFailed", s3.upload_part_copy, **upload, PartNumber=3, CopySource=source, CopySourceIfMatch='"x"')
    refused(404, "NoSuchKey", s3.upload_part_copy, **upload, PartNumber=3, CopySource={"Bucket": BUCKET, "Key": "none"})
    complete(upload, [{"PartNumber": n, "ETag": part["CopyPartResult"]["ETag"]} for n, part in [(1, one), (2, two)]])
    whole = FIRST + LAST
    assert body("copied") == whole[1 : 5 * MIB + 1] + whole


def listings():
    upload = begin("listed", ChecksumAlgorithm="SHA256")
    for number in [1, 3, 4]:
        put(upload, number, str(number).encode(), ChecksumAlgorithm="SHA256")
    page = s3.list_parts(**upload, MaxParts=2)
    assert [part["PartNumber"] for part in page["Parts"]] == [1, 3] and page["IsTruncated"], page
    assert page["Parts"][0]["ChecksumSHA256"] and page["ChecksumAlgorithm"] == "SHA256", page
    page = s3.list_parts(**upload, PartNumberMarker=page["NextPartNumberMarker"])
    assert [(part["PartNumber"], part["Size"]) for part in page["Parts"]] == [(4, 1)] and not page["IsTruncated"]
    uploads = [upload] + [begin(key) for key in ["many/1", "many/1", "many/2", "other"]]
    for size in [1, 2, 1000]:
        pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=BUCKET, PaginationConfig={"PageSize": size})
        found = [(entry["Key"], entry["UploadId"]) for page in pages for entry in page.get("Uploads", [])]
        assert found == [(upload["Key"], upload["UploadId"]) for upload in uploads], (size, found)
    page = s3.list_multipart_uploads(Bucket=BUCKET, Prefix="many/")
    assert [entry["Key"] for entry in page["Uploads"]] == ["many/1", "many/1", "many/2"]
    page = s3.list_multipart_uploads(Bucket=BUCKET, Delimiter="/")
    assert [entry["Prefix"] for entry in page["CommonPrefixes"]] == ["many/"], page
    for upload in uploads:
        s3.abort_multipart_upload(**upload)
        refused(404, "NoSuchUpload", s3.list_parts, **upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)


def refusals():
    upload = begin("refused")
    small = put(upload, 1, b"small")
    last = put(upload, 2, b"last")
    refused(400, "EntityTooSmall", complete, upload=upload, parts=[small, last])
    refused(400, "InvalidPartOrder", complete, upload=upload, parts=[last, small])
    refused(400, "InvalidPart", complete, upload=upload, parts=[dict(small, ETag=last["ETag"])])
    refused(400, "InvalidPart", complete, upload=upload, parts=[dict(small, ChecksumCRC32="AAAAAA==")])
    refused(400, "InvalidPart", complete, upload=upload, parts=[dict(small, PartNumber=3)])
    refused(400, "InvalidRequest", complete, upload=upload, parts=[small], MpuObjectSize=1)
    refused(400, "BadDigest", s3.upload_part, **upload, PartNumber=1, Body=b"x", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")
    refused(400, "InvalidArgument", s3.upload_part, **upload, PartNumber=10001, Body=b"x")
    refused(404, "NoSuchUpload", s3.upload_part, **dict(upload, Key="another"), PartNumber=1, Body=b"x")
    etag = s3.put_object(Bucket=BUCKET, Key="refused", Body=b"first")["ETag"]
    refused(412, "PreconditionFailed", complete, upload=upload, parts=[small], IfNoneMatch="*")
    refused(412, "PreconditionFailed", complete, upload=upload, parts=[small], IfMatch='"x"')
    assert body("refused") == b"first"
    complete(upload, [small], IfMatch=etag)
    assert body("refused") == b"small"


def checksums():
    for algorithm in ["SHA1", "SHA256"]:
        upload = begin("summed", ChecksumAlgorithm=algorithm)
        parts = [put(upload, n, data, ChecksumAlgorithm=algorithm) for n, data in [(1, FIRST), (2, LAST)]]
        done = complete(upload, parts)
        expected = composite(algorithm.lower(), FIRST, LAST)
        assert done[f"Checksum{algorithm}"] == expected and done["ChecksumType"] == "COMPOSITE", done
        head = s3.head_object(Bucket=BUCKET, Key="summed", ChecksumMode="ENABLED")
        assert head[f"Checksum{algorithm}"] == expected and head["ChecksumType"] == "COMPOSITE", head
    # The whole object's CRC32 follows from those of the parts.
    upload = begin("summed", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    parts = [put(upload, n, data, ChecksumAlgorithm="CRC32") for n, data in [(1, FIRST), (2, LAST)]]
    for part, data in zip(parts, [FIRST, LAST]):
        part["ChecksumCRC32"] = crc32(data)
    refused(400, "BadDigest", complete, upload=upload, parts=parts, ChecksumCRC32="AAAAAA==", ChecksumType="FULL_OBJECT")
    done = complete(upload, parts, ChecksumCRC32=crc32(FIRST + LAST), ChecksumType="FULL_OBJECT")
    assert done["ChecksumCRC32"] == crc32(FIRST + LAST) and done["ChecksumType"] == "FULL_OBJECT", done
    whole = s3.get_object(Bucket=BUCKET, Key="summed", ChecksumMode="ENABLED")
    assert whole["ChecksumCRC32"] == crc32(FIRST + LAST) and whole["Body"].read() == FIRST + LAST
    # Composite by default.
    upload = begin("summed", ChecksumAlgorithm="CRC32")
    parts = [put(upload, n, data, ChecksumAlgorithm="CRC32") for n, data in [(1, FIRST), (2, LAST)]]
    done = complete(upload, parts)
    sums = b"".join(zlib.crc32(data).to_bytes(4, "big") for data in [FIRST, LAST])
    assert done["ChecksumCRC32"] == crc32(sums) + "-2" and done["ChecksumType"] == "COMPOSITE", done
    # CRC64NVME is always of the whole, and kept even if nobody asks.
    for arguments in [{}, {"ChecksumAlgorithm": "CRC64NVME"}]:
        upload = begin("summed", **arguments)
        done = complete(upload, [put(upload, 1, FIRST), put(upload, 2, LAST)])
        kept = done.get("ChecksumCRC64NVME") or done.get("ChecksumCRC32")
        assert kept, done
    refused(400, "InvalidRequest", s3.create_multipart_upload, Bucket=BUCKET, Key="x", ChecksumAlgorithm="CRC64NVME", ChecksumType="COMPOSITE")
    refused(400, "InvalidRequest", s3.create_multipart_upload, Bucket=BUCKET, Key="x", ChecksumAlgorithm="SHA1", ChecksumType="FULL_OBJECT")


run(a_whole_upload, part_copies, listings, refusals, checksums)
