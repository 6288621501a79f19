import time
import urllib.parse

from common import BUCKET, body, client, fetch, refused, run, s3


def presigned(operation, expires=600, **arguments):
    return s3.generate_presigned_url(operation, Params=dict(Bucket=BUCKET, **arguments), ExpiresIn=expires)


def get_and_put():
    assert fetch("PUT", presigned("put_object", Key="link ü"), b"by link")[0] == 200
    assert body("link ü") == b"by link"
    assert fetch("GET", presigned("get_object", Key="link ü")) == (200, b"by link")
    url = presigned("get_object", Key="link ü", ResponseContentType="text/x")
    assert fetch("GET", url)[0] == 200
    assert fetch("GET", presigned("get_object", Key="link ü"), headers={"Range": "bytes=0-1"}) == (206, b"by")
    assert fetch("HEAD", presigned("head_object", Key="link ü"))[0] == 200
    assert fetch("DELETE", presigned("delete_object", Key="link ü"))[0] == 204


def forged_expired_and_eternal():
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"x")
    url = presigned("get_object", Key="k")
    assert fetch("GET", url.replace("/k?", "/other?"))[0] == 403
    assert fetch("PUT", url, b"y")[0] == 403
    assert fetch("GET", url.split("?")[0])[0] == 403
    short = presigned("get_object", Key="k", expires=1)
    time.sleep(2.1)
    status, text = fetch("GET", short)
    assert status == 403 and b"expired" in text, (status, text)
    assert fetch("GET", presigned("get_object", Key="k", expires=7 * 24 * 3600))[0] == 200
    status, text = fetch("GET", presigned("get_object", Key="k", expires=7 * 24 * 3600 + 1))
    assert status == 400 and b"AuthorizationQueryParametersError" in text, (status, text)
    # The same name spelled with percent signs is the same parameter.
    disguised = presigned("get_object", Key="k", expires=8 * 24 * 3600).replace("X-Amz-Expires", "X-Amz-%45xpires")
    assert fetch("GET", disguised)[0] in (400, 403), fetch("GET", disguised)


def wrong_keys_and_old_signatures():
    import boto3
    from botocore.config import Config

    def other(**arguments):
        given = dict(endpoint_url=s3.meta.endpoint_url, region_name="us-east-1", aws_access_key_id="minioadmin",
                     aws_secret_access_key="minioadmin", config=Config(retries={"total_max_attempts": 1}))
        return boto3.client("s3", **{**given, **arguments})

    refused(403, "SignatureDoesNotMatch", other(aws_secret_access_key="wrong").list_objects_v2, Bucket=BUCKET)
    refused(403, "InvalidAccessKeyId", other(aws_access_key_id="wrong").list_objects_v2, Bucket=BUCKET)
    old = other(config=Config(signature_version="s3", retries={"total_max_attempts": 1}))
    refused(400, "InvalidRequest", old.get_object, Bucket=BUCKET, Key="k")
    url = old.generate_presigned_url("get_object", Params=dict(Bucket=BUCKET, Key="k"))
    assert "AWSAccessKeyId" in url and fetch("GET", url)[0] == 400


run(get_and_put, forged_expired_and_eternal, wrong_keys_and_old_signatures)
