"""Shared by the tests of all clients: a server, buckets in it, and files to send.

The server is `modeldepot up`, unless MODELDEPOT_TEST_ENDPOINT names another with the same login. A test that fails
there too is probably the client's fault.
"""

import hashlib
import os
import pathlib
import re
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
import requests

ROOT = pathlib.Path(__file__).parents[2]
LOGIN = "minioadmin"
REGION = "us-east-1"
OTHER_SERVER = os.environ.get("MODELDEPOT_TEST_ENDPOINT")

# The limit on the server's memory, whatever clients send and fetch.
MEMORY = 200 << 20

# Keys that need care in a URL, in a signature or in XML.
SPECIAL = ["a b", "a+b", "100%", "a&b=c", "a=b;c", "ü/é/日本/🦀", "quo'te", "(1) [2] {3}", "~tilde!*", "a,b:c@d$e"]


SERVER = requests.get(OTHER_SERVER, timeout=60).headers.get("Server", "") if OTHER_SERVER else "modeldepot"


def fails_on(server, reason):
    """Marks a feature that a server lacks. The test fails once the server has it."""
    return pytest.mark.xfail(SERVER.startswith(server), reason=reason, strict=True)


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory):
    if OTHER_SERVER:
        yield OTHER_SERVER
        return
    folder = tmp_path_factory.mktemp("server")
    command = os.environ.get("MODELDEPOT_TEST_COMMAND", ROOT / "target/debug/modeldepot")
    arguments = ["up", "--data", folder / "data", "--listen", "127.0.0.1:0", "--no-console"]
    with open(folder / "log", "w") as log:
        server = subprocess.Popen(
            [command, *arguments], cwd=folder, env={"HOME": str(folder)}, stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        said = (re.search(r"http://\S+", line) for line in server.stdout)
        found = next(filter(None, said), None)
        assert found, (folder / "log").read_text()
        yield found[0]
        status = pathlib.Path(f"/proc/{server.pid}/status")
        if status.exists():
            peak = int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) << 10
            assert peak < MEMORY, f"the server held {peak >> 20} MiB"
    finally:
        server.kill()
        server.wait()


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """Ignores the user's configuration, and uses no proxy for this machine."""
    for name in list(os.environ):
        # AWS_DATA_PATH is where the `aws` command finds its own files.
        if name.startswith(("AWS_", "S3_")) and name != "AWS_DATA_PATH":
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", LOGIN)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", LOGIN)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def s3(endpoint):
    """boto3, to prepare a test or check its effects independently."""
    return boto3.client(
        "s3", endpoint_url=endpoint, region_name=REGION, aws_access_key_id=LOGIN, aws_secret_access_key=LOGIN
    )


@pytest.fixture
def name():
    """The name of a bucket that does not exist."""
    return f"client-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def bucket(s3, name):
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="session")
def many(s3):
    """A bucket with more keys than one listing page: 1005 in a folder, 2 in others."""
    bucket = f"client-many-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    keys = [f"many/{number:04}" for number in range(1005)] + ["other/x", "third/y"]
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=b"x"), keys))
    return bucket


@pytest.fixture(scope="session")
def large(tmp_path_factory):
    """A file slightly larger than 70 MiB, which every client sends in parts."""
    path = tmp_path_factory.mktemp("large") / "large.bin"
    path.write_bytes(os.urandom((70 << 20) + 12345))
    return path


@pytest.fixture
def tree(tmp_path):
    """A realistic folder: nested, with spaces and umlauts, and an empty file."""
    folder = tmp_path / "tree"
    for name in ["a.txt", "b c.txt", "sub/ü.txt", "sub/deep/d.bin", "sub/deep/empty"]:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if name.endswith("empty") else f"this is {name}\n".encode())
        # Times of objects have whole seconds. A file written in the current one would look newer than its copy.
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return folder


def contents(folder):
    """Returns the files of a folder with their bytes."""
    folder = pathlib.Path(folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def digest(data):
    """Returns a digest, which keeps failed comparisons of many bytes readable."""
    data = data.read_bytes() if isinstance(data, pathlib.Path) else data
    return len(data), hashlib.sha256(data).hexdigest()


def fetch(url, method="GET", data=None, **headers):
    """Returns status and body of a plain HTTP request."""
    answer = requests.request(method, url, data=data, headers=headers, timeout=60)
    return answer.status_code, answer.content


def program(name, *first, cwd):
    """Returns a function that runs a program and returns what it printed."""
    path = pathlib.Path(os.environ.get("MODELDEPOT_TOOLS", ROOT / "target/tools")) / "bin" / name

    def run(*arguments, fails=None, input=b"", binary=False, errors=False):
        command = [path, *first, *map(str, arguments)]
        done = subprocess.run(command, cwd=cwd, input=input, capture_output=True, timeout=300)
        said = (done.stdout + done.stderr).decode(errors="replace")
        if fails is None:
            assert done.returncode == 0, said
        else:
            assert done.returncode != 0 and fails in said, said
        return done.stdout if binary else said if errors else done.stdout.decode()

    return run
