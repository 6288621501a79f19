"""Ctrl-C ends a running transfer and leaves nothing half done.

How quickly is not tested but measured, by `measure.py`: on a busy machine a timed test would fail without cause.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from modeldepot import ModelStorage, S3Client

from .waiting import wait_for_a_push, wait_until

# Slow enough to be interrupted: 20 MiB at 4 MB/s.
RATE = 4_000_000


def interrupt_in_the_middle(call: Any) -> None:
    """Interrupts a call that reports its progress to a function, and checks that it did not run to its end."""
    seen: dict[int, int] = {}

    def interrupt() -> None:
        wait_until(lambda: bool(seen))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        # Not a Python function: there, Python itself would notice the signal.
        call(seen.__setitem__)
    thread.join()
    [total] = set(seen.values())
    assert max(seen) < total


def test_a_push_ends_and_leaves_no_version(storage: ModelStorage, large: Path) -> None:
    slow = ModelStorage(limit_rate=RATE)
    interrupt_in_the_middle(lambda see: slow.upload_model(large, "m", "1", progress=see))
    assert storage.models() == []
    published = storage.upload_model(large, "m", "1")
    assert not published.already and published.size == large.stat().st_size
    storage.verify("m")


def test_a_pull_ends_and_leaves_no_file(storage: ModelStorage, large: Path) -> None:
    storage.upload_model(large, "m", "1")
    slow = ModelStorage(limit_rate=RATE)
    interrupt_in_the_middle(lambda see: slow.download_model("m", local_dir="back", progress=see))
    assert [path.name for path in Path("back").glob("*") if not path.name.startswith(".")] == []
    assert Path(storage.download_model("m", local_dir="back")).read_bytes() == large.read_bytes()


def test_everything_that_waits_can_be_interrupted(storage: ModelStorage, large: Path) -> None:
    large.rename("large.npy")
    storage.upload_model("large.npy", "m", "1")
    slow = ModelStorage(limit_rate=RATE)
    interrupt_in_the_middle(lambda see: slow.verify("m", progress=see))
    interrupt_in_the_middle(lambda see: slow.load("m", progress=see))
    s3 = S3Client(limit_rate=RATE)
    interrupt_in_the_middle(lambda see: s3.download_file(storage.bucket, "m/v1/large.npy", "object", progress=see))
    assert not Path("object").exists()
    interrupt_in_the_middle(lambda see: s3.upload_file("large.npy", storage.bucket, "object", progress=see))
    assert not s3.object_exists(storage.bucket, "object")


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
        wait_for_a_push(storage)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert storage.models() == []
