"""What the checks share: a client, a way to expect an error, a way to say what was checked."""

import os
import sys
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = sys.argv[1]
BUCKET = "models"


def client(**config):
    return boto3.client(
        "s3",
        endpoint_url=ENDPOINT,
        region_name="us-east-1",
        aws_access_key_id="minioadmin",
        aws_secret_access_key=os.environ.get("TEST_SECRET", "minioadmin"),
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
            **config,
        ),
    )


s3 = client()


def refused(status, code, call, **arguments):
    """Expects an error. A HEAD has no body, so there botocore knows only the status."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        found = (error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"])
        assert found in [(status, code), (status, str(status))], f"{found} instead of {(status, code)}: {error}"
        return
    raise AssertionError(f"accepted, instead of {code}: {answer}")


def fetch(method, url, data=None, headers={}):
    """Returns status and body of a plain request, as curl would make it."""
    request = urllib.request.Request(url, method=method, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def body(key, bucket=BUCKET, **arguments):
    return s3.get_object(Bucket=bucket, Key=key, **arguments)["Body"].read()


def keys(bucket=BUCKET, **arguments):
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket, **arguments).get("Contents", [])]


def run(*checks):
    for check in checks:
        check()
        print("ok", check.__name__.replace("_", " "), flush=True)
