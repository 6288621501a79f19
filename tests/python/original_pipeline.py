#!/usr/bin/env python3
"""Writes and reads models with boto3, in the layout of the Python pipeline that modeldepot replaces.

It shares no code with modeldepot: each must read what the other writes.

    original_pipeline.py buckets
    original_pipeline.py push FILE MODEL VERSION [ADDITIONAL...]
    original_pipeline.py pull MODEL VERSION DIR

`push` stores the files under MODEL/vVERSION/ and then their manifest, with the MD5 of FILE. `pull` fetches everything
under that prefix into DIR and checks the MD5; it exits with 1 and names the file when it differs.

S3_ENDPOINT, S3_ACCESS_KEY, S3_SECRET_KEY and S3_REGION configure the service, and S3_BUCKET_MODELS, S3_BUCKET_IMAGES
and S3_BUCKET_DATA the buckets; the defaults are those of `.env.example`. Needs boto3.
"""
import argparse
import datetime
import hashlib
import json
import os
import pathlib
import sys

import boto3
from botocore.config import Config


def setting(name, default):
    return os.environ.get(name, default)


ENDPOINT = setting("S3_ENDPOINT", "http://localhost:9000")
MODELS = setting("S3_BUCKET_MODELS", "models")
IMAGES = setting("S3_BUCKET_IMAGES", "plants-images")
DATA = setting("S3_BUCKET_DATA", "data")
MANIFEST = "manifest.json"

s3 = boto3.client(
    "s3",
    endpoint_url=ENDPOINT,
    aws_access_key_id=setting("S3_ACCESS_KEY", "minioadmin"),
    aws_secret_access_key=setting("S3_SECRET_KEY", "minioadmin"),
    region_name=setting("S3_REGION", "us-east-1"),
    config=Config(s3={"addressing_style": "path"}),
)


def folder_of(model, version):
    return f"{model}/v{version}/"


def checksum_of(path):
    digest = hashlib.md5()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def buckets(_):
    existing = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for name in (MODELS, IMAGES, DATA):
        if name not in existing:
            s3.create_bucket(Bucket=name)


def push(args):
    folder = folder_of(args.model, args.version)
    key = folder + args.file.name
    checksum = checksum_of(args.file)
    s3.upload_file(str(args.file), MODELS, key, ExtraArgs={"Metadata": {"checksum": checksum}})
    for path in args.additional:
        s3.upload_file(str(path), MODELS, folder + path.name)
    manifest = {
        "model_name": args.model,
        "version": args.version,
        "model_file": key,
        "model_url": f"{ENDPOINT}/{MODELS}/{key}",
        "checksum": checksum,
        "metadata": {"architecture": "resnet18", "num_classes": 2, "val_accuracy": 0.95},
        # The Python pipeline wrote local time without an offset.
        "created_at": datetime.datetime.now().isoformat(),
    }
    # Written last: without its manifest a version does not exist.
    s3.put_object(Bucket=MODELS, Key=folder + MANIFEST, Body=json.dumps(manifest, indent=2).encode())


def pull(args):
    folder = folder_of(args.model, args.version)
    manifest = json.load(s3.get_object(Bucket=MODELS, Key=folder + MANIFEST)["Body"])
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=MODELS, Prefix=folder):
        for found in page.get("Contents", []):
            path = args.dir / found["Key"].removeprefix(folder)
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(MODELS, found["Key"], str(path))
    model_file = args.dir / manifest["model_file"].removeprefix(folder)
    checksum = checksum_of(model_file)
    if checksum != manifest["checksum"]:
        sys.exit(f"checksum mismatch: {model_file}: manifest says {manifest['checksum']}, file has {checksum}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    verbs.add_parser("buckets", help="make the three buckets").set_defaults(run=buckets)

    verb = verbs.add_parser("push", help="publish a model")
    verb.add_argument("file", type=pathlib.Path)
    verb.add_argument("model")
    verb.add_argument("version")
    verb.add_argument("additional", type=pathlib.Path, nargs="*")
    verb.set_defaults(run=push)

    verb = verbs.add_parser("pull", help="fetch a model and check it")
    verb.add_argument("model")
    verb.add_argument("version")
    verb.add_argument("dir", type=pathlib.Path)
    verb.set_defaults(run=pull)

    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
