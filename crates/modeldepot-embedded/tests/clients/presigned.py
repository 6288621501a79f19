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


def version_2_which_boto3_makes_by_itself():
    import boto3
    from botocore.config import Config

    plain = boto3.client("s3", endpoint_url=s3.meta.endpoint_url, region_name="us-east-1",
                         aws_access_key_id="minioadmin", aws_secret_access_key="minioadmin",
                         config=Config(s3={"addressing_style": "path"}))

    def old(operation, expires=600, **arguments):
        url = plain.generate_presigned_url(operation, Params=dict(Bucket=BUCKET, **arguments), ExpiresIn=expires)
        assert "AWSAccessKeyId" in url, url
        return url

    key = "old ü+&/%2F"
    typed = {"Content-Type": "text/x", "x-amz-meta-who": "me"}
    url = old("put_object", Key=key, ContentType="text/x", Metadata={"who": "me"})
    assert fetch("PUT", url, b"by link")[0] == 403
    assert fetch("PUT", url, b"by link", headers=typed)[0] == 200
    assert fetch("GET", old("get_object", Key=key)) == (200, b"by link")
    assert fetch("HEAD", old("head_object", Key=key))[0] == 200
    assert fetch("GET", old("get_object", Key=key, ResponseContentType="a/b", ResponseContentDisposition="attachment; "
                            "filename=\"x y.txt\""))[0] == 200
    assert fetch("GET", old("get_object_tagging", Key=key))[0] == 200
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="parts")["UploadId"]
    assert fetch("PUT", old("upload_part", Key="parts", UploadId=upload, PartNumber=1), b"part",
                 headers={"Content-Type": ""})[0] == 200
    assert fetch("DELETE", old("delete_object", Key=key))[0] == 204
    assert fetch("GET", old("get_object", Key=key, expires=8 * 24 * 3600))[0] == 400
    status, text = fetch("GET", old("list_objects_v2", Prefix="secret/"))
    assert status == 403 and b"does not cover the parameter" in text, (status, text)


def forms():
    import boto3
    from botocore.config import Config

    def posted(post, data, filename="photo.png"):
        body, line = b"", b"--boundary"
        for name, value in post["fields"].items():
            body += b'%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (
                line, name.encode(), value.encode())
        body += b'%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n%s\r\n%s--\r\n' % (
            line, filename.encode(), data, line)
        return fetch("POST", post["url"], body, headers={"Content-Type": "multipart/form-data; boundary=boundary"})

    for version in [None, "s3v4"]:
        other = boto3.client("s3", endpoint_url=s3.meta.endpoint_url, region_name="us-east-1",
                             aws_access_key_id="minioadmin", aws_secret_access_key="minioadmin",
                             config=Config(signature_version=version, s3={"addressing_style": "path"}))

        def form(key, fields=None, conditions=None, **arguments):
            return other.generate_presigned_post(BUCKET, key, Fields=fields, Conditions=conditions, **arguments)

        assert ("signature" in form("k")["fields"]) == (version is None)
        status, text = posted(form("form/${filename}"), b"hello")
        assert status == 204 and body("form/photo.png") == b"hello", (status, text)
        more = form("form/k", fields={"Content-Type": "text/x", "success_action_status": "201", "x-amz-meta-a": "b"},
                    conditions=[["starts-with", "$Content-Type", "text/"], {"success_action_status": "201"},
                                {"x-amz-meta-a": "b"}, ["content-length-range", 1, 5]])
        status, text = posted(more, b"hello")
        assert status == 201 and b"<Key>form/k</Key>" in text, (status, text)
        found = s3.head_object(Bucket=BUCKET, Key="form/k")
        assert found["ContentType"] == "text/x" and found["Metadata"] == {"a": "b"}, found
        assert posted(more, b"longer")[0] == 400 and posted(more, b"")[0] == 400
        for name, value in [("key", "elsewhere"), ("x-amz-meta-a", "c"), ("acl", "private")]:
            status, text = posted({**more, "fields": {**more["fields"], name: value}}, b"x")
            assert status == 403 and b"AccessDenied" in text, (name, status, text)
        status, text = posted(form("form/k", ExpiresIn=-1), b"x")
        assert status == 403 and b"expired" in text, (status, text)


def configured():
    s3.put_object(Bucket=BUCKET, Key="tagged", Body=b"x", Tagging="a=1&b=2")
    assert s3.get_object(Bucket=BUCKET, Key="tagged")["TagCount"] == 2
    s3.put_object_tagging(Bucket=BUCKET, Key="tagged", Tagging={"TagSet": [{"Key": "c", "Value": "3"}]})
    assert s3.get_object_tagging(Bucket=BUCKET, Key="tagged")["TagSet"] == [{"Key": "c", "Value": "3"}]
    s3.delete_object_tagging(Bucket=BUCKET, Key="tagged")
    assert s3.get_object_tagging(Bucket=BUCKET, Key="tagged")["TagSet"] == []
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": "team", "Value": "ml"}]})
    assert s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"] == [{"Key": "team", "Value": "ml"}]
    s3.delete_bucket_tagging(Bucket=BUCKET)
    refused(404, "NoSuchTagSet", s3.get_bucket_tagging, Bucket=BUCKET)
    known = s3.get_object_attributes(Bucket=BUCKET, Key="tagged", ObjectAttributes=["ETag", "ObjectSize", "Checksum"])
    assert known["ETag"] == "9dd4e461268c8034f5c8564e155c67a6" and known["ObjectSize"] == 1, known
    assert known["Checksum"]["ChecksumCRC32"], known
    assert s3.get_bucket_acl(Bucket=BUCKET)["Grants"][0]["Permission"] == "FULL_CONTROL"
    assert s3.get_object_acl(Bucket=BUCKET, Key="tagged")["Grants"][0]["Grantee"]["Type"] == "CanonicalUser"
    s3.put_object_acl(Bucket=BUCKET, Key="tagged", ACL="private")
    refused(400, "AccessControlListNotSupported", s3.put_object_acl, Bucket=BUCKET, Key="tagged", ACL="public-read")
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://a.example"], "MaxAgeSeconds": 5}
    s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [rule]})
    assert s3.get_bucket_cors(Bucket=BUCKET)["CORSRules"] == [rule]
    s3.delete_bucket_cors(Bucket=BUCKET)
    rules = [
        {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 3}},
        {"ID": "parts", "Status": "Enabled", "Filter": {"Prefix": ""},
         "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
        {"ID": "both", "Status": "Disabled", "Expiration": {"Days": 1},
         "Filter": {"And": {"Prefix": "a", "Tags": [{"Key": "b", "Value": "c"}], "ObjectSizeGreaterThan": 5}}},
    ]
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": rules})
    assert s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"] == rules
    s3.delete_bucket_lifecycle(Bucket=BUCKET)
    for call, code in [
        (s3.get_bucket_policy, "NoSuchBucketPolicy"),
        (s3.get_bucket_encryption, "ServerSideEncryptionConfigurationNotFoundError"),
        (s3.get_bucket_website, "NoSuchWebsiteConfiguration"),
        (s3.get_bucket_replication, "ReplicationConfigurationNotFoundError"),
        (s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
        (s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
    ]:
        refused(404, code, call, Bucket=BUCKET)
    assert s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] is None
    assert s3.get_bucket_request_payment(Bucket=BUCKET)["Payer"] == "BucketOwner"
    assert s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]["BlockPublicAcls"]
    for call in [s3.get_bucket_logging, s3.get_bucket_notification_configuration,
                 s3.get_bucket_accelerate_configuration, s3.get_bucket_ownership_controls]:
        call(Bucket=BUCKET)


run(get_and_put, forged_expired_and_eternal, wrong_keys_and_old_signatures, version_2_which_boto3_makes_by_itself, forms,
    configured)
