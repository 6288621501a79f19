"""Starts a real server for the tests, with the wheel's own command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from modeldepot import ModelStorage

# Background shells make their children ignore Ctrl-C, and Python keeps that setting.
signal.signal(signal.SIGINT, signal.default_int_handler)

COMMAND = str(Path(sys.executable).parent / "modeldepot")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Starts slow tests first, so that the others run alongside."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def read_json(stream: Any) -> Any:
    """Reads the first JSON value from a stream of lines."""
    text = ""
    for line in stream:
        text += line
        try:
            return json.loads(text)
        except ValueError:
            continue
    raise AssertionError(f"no JSON: {text!r}")


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    data = tmp_path_factory.mktemp("server")
    arguments = [COMMAND, "--json", "up", "--no-console", "--no-login", "--listen", "127.0.0.1:0"]
    arguments += ["--data", str(data / "data")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("S3_", "AWS_"))}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=data, env=environment) as server:
        assert server.stdout is not None
        yield read_json(server.stdout)["endpoint"]
        server.terminate()


@pytest.fixture(autouse=True)
def surroundings(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets the environment for the server, with buckets and a working folder of the test's own."""
    for name in list(os.environ):
        if name.startswith(("S3_", "AWS_")):
            monkeypatch.delenv(name)
    unique = uuid.uuid4().hex[:12]
    monkeypatch.setenv("S3_ENDPOINT", endpoint)
    for name in ("MODELS", "IMAGES", "DATA"):
        monkeypatch.setenv(f"S3_BUCKET_{name}", f"{name.lower()}-{unique}")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def storage(surroundings: None) -> ModelStorage:
    storage = ModelStorage()
    storage.client.create_bucket(storage.bucket)
    return storage


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small model file."""
    path = tmp_path / "best_model.pth"
    path.write_bytes(bytes(range(256)) * 16)
    return path


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A model file of several parts, all different."""
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        for index in range(20):
            file.write(index.to_bytes(4, "little") * (1024 * 1024 // 4))
        file.write(b"the end")
    return path


@pytest.fixture
def boto(storage: ModelStorage) -> Any:
    return client(storage.endpoint)


def client(endpoint: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="minioadmin",
        aws_secret_access_key="minioadmin",
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )
