"""Many threads, forks, and a thousand pushes."""

from __future__ import annotations

import concurrent.futures
import gc
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from modeldepot import ModelStorage

from .waiting import wait_for_a_push


def test_many_threads_share_one_storage(storage: ModelStorage, model: Path, tmp_path: Path) -> None:
    def round_trip(index: int) -> bytes:
        storage.upload_model(model, f"m{index % 8}", f"{index}", {"index": index})
        return Path(storage.download_model(f"m{index % 8}", f"{index}", tmp_path / f"back{index}")).read_bytes()

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        assert set(pool.map(round_trip, range(64))) == {model.read_bytes()}
    assert sorted((found.name, found.versions) for found in storage.models()) == [(f"m{n}", 8) for n in range(8)]


def test_other_threads_run_while_one_waits(storage: ModelStorage, large: Path) -> None:
    storage.upload_model(large, "m", "1")
    slow = ModelStorage(limit_rate=20_000_000)
    ticks, stop = [0], threading.Event()

    def count() -> None:
        while not stop.is_set():
            ticks[0] += 1
            time.sleep(0.001)  # A thread that works now and then.

    thread = threading.Thread(target=count)
    thread.start()
    # A second at that rate. Were the GIL held, not one tick would come in between.
    before = ticks[0]
    slow.verify("m")
    during = ticks[0] - before
    stop.set()
    thread.join()
    assert during > 20


# What the children of a fork find in their memory.
SHARED: list[ModelStorage] = []


def child(model: str, index: int) -> str:
    [storage] = SHARED
    storage.upload_model(model, "m", f"child-{index}")
    with storage.open(f"m@child-{index}") as file:
        assert len(file.read()) == 4096
    return storage.get_latest_version("m")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_a_storage_is_of_use_after_a_fork(storage: ModelStorage, model: Path) -> None:
    storage.upload_model(model, "m", "parent")
    opened = storage.open("m@parent")
    SHARED[:] = [storage]
    with multiprocessing.get_context("fork").Pool(4) as pool:
        calls = [pool.apply_async(child, (str(model), index)) for index in range(8)]
        for call in calls:
            assert call.get(timeout=60)
    # A file that the parent opened is read in a child as well.
    process = os.fork()
    if process == 0:
        os._exit(0 if opened.read(256) == model.read_bytes()[:256] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert opened.read(4) == model.read_bytes()[:4]
    assert len(storage.list_model_versions("m")) == 9, "and the parent goes on"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_a_fork_in_the_middle_of_a_transfer(storage: ModelStorage, large: Path, model: Path) -> None:
    slow = ModelStorage(limit_rate=20_000_000)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        push = pool.submit(slow.upload_model, large, "large", "1")
        wait_for_a_push(storage)
        process = os.fork()
        if process == 0:
            slow.upload_model(model, "small", "1")
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
        push.result(timeout=60)
    assert {found.name for found in storage.models()} == {"large", "small"}
    storage.verify("large")


def resident() -> int:
    """Returns the bytes of memory that this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not tell its memory by /proc")
def test_a_thousand_pushes_leave_the_memory_as_it_was(storage: ModelStorage, model: Path) -> None:
    pushed = iter(range(100_000))

    def push(count: int) -> None:
        def one(_: int) -> None:
            number = next(pushed)
            storage.upload_model(model, f"m{number % 50}", f"{number}", {"n": number}, progress=lambda *now: None)

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(one, range(count)))
        gc.collect()

    push(200)
    before = resident()
    push(1000)
    grown = resident() - before
    # A leak of the 4 kB that each push reads, or of the 2 kB of its manifest, would be far more.
    assert grown < 2_500_000, f"{grown} bytes more"


def test_the_command_is_the_binarys(storage: ModelStorage, model: Path) -> None:
    command = str(Path(sys.executable).parent / "modeldepot")

    def run(*arguments: str) -> Any:
        return subprocess.run([command, *arguments], capture_output=True, text=True)

    version = run("--version")
    assert (version.returncode, version.stdout.split()[0]) == (0, "modeldepot")
    assert run("push", "m", str(model), "--version", "1").stdout == "m@1\n"
    assert storage.get_latest_version("m") == "1"
    assert run("pull", "m").stdout == "m/best_model.pth\n"
    missing = run("show", "ghost")
    assert (missing.returncode, missing.stderr.splitlines()[0]) == (3, "error: model `ghost` does not exist")
    usage = run("--nonsense")
    assert usage.returncode == 2
    assert run("completions", "bash").returncode == 0


def test_the_command_ends_by_ctrl_c(storage: ModelStorage, large: Path) -> None:
    import signal

    command = str(Path(sys.executable).parent / "modeldepot")
    arguments = [command, "--limit-rate", "4M", "push", "m", str(large)]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        # By then the command listens for signals.
        wait_for_a_push(storage)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.splitlines()[0]) == (130, "interrupted")
    assert storage.models() == []
