"""Ctrl-C: seen within 200 ms, and nothing is left half done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from modeldepot import ModelStorage, S3Client

# Slow enough to be interrupted: 20 MiB at 4 MB/s.
RATE = 4_000_000


def interrupted(call: Any) -> float:
    """Interrupts a call in the middle, and returns how many seconds later it ended."""
    sent = []

    def interrupt() -> None:
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.8, interrupt)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            call()
        return time.monotonic() - sent[0]
    finally:
        timer.cancel()


def test_a_push_ends_at_once_and_leaves_no_version(storage: ModelStorage, large: Path) -> None:
    slow = ModelStorage(limit_rate=RATE)
    assert interrupted(lambda: slow.upload_model(large, "m", "1")) < 0.2
    assert storage.models() == []
    published = storage.upload_model(large, "m", "1")
    assert not published.already and published.size == large.stat().st_size
    storage.verify("m")


def test_a_pull_ends_at_once_and_leaves_no_file(storage: ModelStorage, large: Path) -> None:
    storage.upload_model(large, "m", "1")
    slow = ModelStorage(limit_rate=RATE)
    assert interrupted(lambda: slow.download_model("m", local_dir="back")) < 0.2
    assert [path.name for path in Path("back").iterdir() if not path.name.startswith(".")] == []
    assert Path(storage.download_model("m", local_dir="back")).read_bytes() == large.read_bytes()


def test_everything_that_waits_can_be_interrupted(storage: ModelStorage, large: Path) -> None:
    storage.upload_model(large, "m", "1")
    slow = ModelStorage(limit_rate=RATE)
    assert interrupted(lambda: slow.verify("m")) < 0.2
    assert interrupted(lambda: slow.open("m").read()) < 0.2
    client = S3Client(limit_rate=RATE)
    assert interrupted(lambda: client.download_file(storage.bucket, "m/v1/large.bin", "object")) < 0.2
    assert not Path("object").exists()
    assert interrupted(lambda: client.upload_file(large, storage.bucket, "object")) < 0.2
    assert not client.object_exists(storage.bucket, "object")


def test_an_exception_of_the_watcher_ends_the_transfer(storage: ModelStorage, large: Path) -> None:
    def watcher(done: int, total: int) -> None:
        raise ZeroDivisionError("enough")

    with pytest.raises(ZeroDivisionError, match="enough"):
        ModelStorage(limit_rate=RATE).upload_model(large, "m", "1", progress=watcher)
    assert storage.models() == []


def test_a_script_that_is_interrupted_ends_as_python_scripts_do(storage: ModelStorage, large: Path) -> None:
    script = f"""
        from modeldepot import ModelStorage
        print("begun", flush=True)
        ModelStorage(limit_rate={RATE}).upload_model("large.bin", "m", "1")
    """
    arguments = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "begun\n"
        time.sleep(0.8)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    assert process.returncode == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert storage.models() == []
