from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError
from common import BUCKET, body, client, run


def sixty_four_creates_have_one_winner():
    clients = [client() for _ in range(64)]

    def create(n):
        try:
            clients[n].put_object(Bucket=BUCKET, Key="race", Body=f"racer {n}", IfNoneMatch="*")
            return 200, n
        except ClientError as error:
            return error.response["ResponseMetadata"]["HTTPStatusCode"], n

    with ThreadPoolExecutor(64) as pool:
        results = list(pool.map(create, range(64)))
    winners = [n for status, n in results if status == 200]
    assert len(winners) == 1 and all(status in (200, 412) for status, _ in results), results
    assert body("race") == f"racer {winners[0]}".encode()


def completions_race_too():
    clients = [client() for _ in range(16)]

    def create(n):
        s3 = clients[n]
        upload = dict(Bucket=BUCKET, Key="race2")
        upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
        part = s3.upload_part(**upload, PartNumber=1, Body=f"racer {n}")
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        try:
            s3.complete_multipart_upload(**upload, MultipartUpload=parts, IfNoneMatch="*")
            return 200
        except ClientError as error:
            s3.abort_multipart_upload(**upload)
            return error.response["ResponseMetadata"]["HTTPStatusCode"]

    with ThreadPoolExecutor(16) as pool:
        results = sorted(pool.map(create, range(16)))
    assert results == [200] + [412] * 15, results


run(sixty_four_creates_have_one_winner, completions_race_too)
