import base64
import hashlib
import io
import zlib

from common import BUCKET, body, client, refused, run, s3

DATA = b"some weights " * 100_000
WRONG = {
    "CRC32": "AAAAAA==",
    "CRC32C": "AAAAAA==",
    "CRC64NVME": "AAAAAAAAAAA=",
    "SHA1": base64.b64encode(bytes(20)).decode(),
    "SHA256": base64.b64encode(bytes(32)).decode(),
}
# What a pure Python client can compute.
RIGHT = {
    "CRC32": base64.b64encode(zlib.crc32(DATA).to_bytes(4, "big")).decode(),
    "SHA1": base64.b64encode(hashlib.sha1(DATA).digest()).decode(),
    "SHA256": base64.b64encode(hashlib.sha256(DATA).digest()).decode(),
}


def computed_by_the_client():
    for algorithm, value in RIGHT.items():
        put = s3.put_object(Bucket=BUCKET, Key="k", Body=io.BytesIO(DATA), ChecksumAlgorithm=algorithm)
        sent = put["ResponseMetadata"]["HTTPHeaders"]
        assert sent[f"x-amz-checksum-{algorithm.lower()}"] == value, sent
        head = s3.head_object(Bucket=BUCKET, Key="k", ChecksumMode="ENABLED")
        assert head[f"Checksum{algorithm}"] == value and head["ChecksumType"] == "FULL_OBJECT", head
        assert not any(name.startswith("x-amz-checksum") for name in
                       s3.head_object(Bucket=BUCKET, Key="k")["ResponseMetadata"]["HTTPHeaders"])
        assert body("k", ChecksumMode="ENABLED") == DATA


def given_in_a_header():
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"old")
    for algorithm, value in RIGHT.items():
        s3.put_object(Bucket=BUCKET, Key="right", Body=DATA, **{f"Checksum{algorithm}": value})
        assert body("right") == DATA
    for algorithm, value in WRONG.items():
        refused(400, "BadDigest", s3.put_object, Bucket=BUCKET, Key="k", Body=DATA, **{f"Checksum{algorithm}": value})
        assert body("k") == b"old", algorithm
    md5 = base64.b64encode(hashlib.md5(DATA).digest()).decode()
    s3.put_object(Bucket=BUCKET, Key="right", Body=DATA, ContentMD5=md5)
    refused(400, "BadDigest", s3.put_object, Bucket=BUCKET, Key="k", Body=DATA, ContentMD5=base64.b64encode(bytes(16)).decode())
    refused(400, "InvalidDigest", s3.put_object, Bucket=BUCKET, Key="k", Body=DATA, ContentMD5="nonsense")
    assert body("k") == b"old"


def damaged_on_the_way():
    def damage(request, **_):
        spoiled = bytearray(request.body.read() if hasattr(request.body, "read") else request.body)
        spoiled[len(spoiled) // 2] ^= 1
        request.body = bytes(spoiled)

    # Without TLS botocore signs every body; checksums in trailers are tested without it.
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"old")
    for config in [{}, {"request_checksum_calculation": "when_required"}]:
        spoiler = client(**config)
        spoiler.meta.events.register("before-send.s3.PutObject", damage)
        refused(400, "XAmzContentSHA256Mismatch", spoiler.put_object, Bucket=BUCKET, Key="k", Body=io.BytesIO(DATA))
        assert body("k") == b"old"


def none_at_all():
    plain = client(request_checksum_calculation="when_required", response_checksum_validation="when_required")
    plain.put_object(Bucket=BUCKET, Key="plain", Body=b"123456789")
    head = s3.head_object(Bucket=BUCKET, Key="plain", ChecksumMode="ENABLED")
    check = base64.b64encode(bytes.fromhex("ae8b14860a799888")).decode()
    assert head["ChecksumCRC64NVME"] == check and head["ChecksumType"] == "FULL_OBJECT", head


run(computed_by_the_client, given_in_a_header, damaged_on_the_way, none_at_all)
