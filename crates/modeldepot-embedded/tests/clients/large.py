import filecmp
import os
import sys
import time

from boto3.s3.transfer import TransferConfig
from common import BUCKET, run, s3

SOURCE = sys.argv[2]
BACK = SOURCE + ".back"


def timed(what, work):
    begun = time.monotonic()
    work()
    print(f"{what}: {time.monotonic() - begun:.2f} s", flush=True)


def same():
    assert filecmp.cmp(SOURCE, BACK, shallow=False)
    os.remove(BACK)


def in_parts():
    timed("put in parts", lambda: s3.upload_file(SOURCE, BUCKET, "large"))
    head = s3.head_object(Bucket=BUCKET, Key="large", ChecksumMode="ENABLED")
    assert head["ContentLength"] == os.path.getsize(SOURCE) and "-" in head["ETag"]
    assert any(name.startswith("Checksum") for name in head), head
    timed("get in ranges", lambda: s3.download_file(BUCKET, "large", BACK))
    same()


def in_one_piece():
    whole = TransferConfig(multipart_threshold=1 << 40)
    timed("put in one piece", lambda: s3.upload_file(SOURCE, BUCKET, "whole", Config=whole))
    assert "-" not in s3.head_object(Bucket=BUCKET, Key="whole")["ETag"]

    def get():
        # botocore compares the checksum that it is answered.
        stream = s3.get_object(Bucket=BUCKET, Key="whole", ChecksumMode="ENABLED")["Body"]
        with open(BACK, "wb") as file:
            for piece in stream.iter_chunks(1 << 20):
                file.write(piece)

    timed("get in one piece", get)
    same()


def in_sha256_parts():
    s3.upload_file(SOURCE, BUCKET, "sha", ExtraArgs={"ChecksumAlgorithm": "SHA256"})
    assert s3.head_object(Bucket=BUCKET, Key="sha", ChecksumMode="ENABLED")["ChecksumType"] == "COMPOSITE"
    s3.download_file(BUCKET, "sha", BACK)
    same()


run(in_parts, in_one_piece, in_sha256_parts)
