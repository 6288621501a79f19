"""Stores or fetches one object with obstore, as in its documentation.

    objects.py put FILE KEY
    objects.py get KEY FILE
    objects.py --version
"""
import os
import pathlib
import sys

import obstore
from obstore.store import S3Store

store = S3Store(
    os.environ["S3_BUCKET_MODELS"],
    endpoint=os.environ["S3_ENDPOINT"],
    access_key_id=os.environ["S3_ACCESS_KEY"],
    secret_access_key=os.environ["S3_SECRET_KEY"],
    region=os.environ["S3_REGION"],
    virtual_hosted_style_request=False,
    client_options={"allow_http": True},
)

if sys.argv[1:] == ["--version"]:
    print(obstore.__version__)
    sys.exit()
verb, source, target = sys.argv[1:]
if verb == "put":
    obstore.put(store, target, pathlib.Path(source))
else:
    with open(target, "wb") as file:
        for chunk in obstore.get(store, source).stream():
            file.write(chunk)
