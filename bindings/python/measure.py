"""Compares the package with the command: wall time, memory, and how quickly Ctrl-C ends a transfer.

measure.py COMMAND [ROUNDS]

COMMAND is a built `modeldepot`; the package is the one that this Python imports. Both push and pull the same 132 MB on
a server started with COMMAND, in turn, each in a new process and an empty folder. Prints medians.

For Python, only the call is timed, in a process started for it; the command is timed from start to end. Memory is the
peak above that of a process that only starts Python, as counted by Linux.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Callable

SIZE = 132_000_000

# Read by the process itself: wait4 would include memory inherited from its parent.
PEAK = """
for line in open("/proc/self/status"):
    if line.startswith("VmHWM"):
        print(line.split()[1])
"""
# Runs one verb, and prints the seconds that the call took.
CHILD = """
import time
from modeldepot import ModelStorage
storage = ModelStorage()
began = time.perf_counter()
{call}
print(time.perf_counter() - began)
"""
PUSH = 'storage.upload_model("model.bin", "m", "{version}", copy=False)'
PULL = 'storage.download_model("m", "{version}", "back")'


def run(arguments: list[str]) -> tuple[float, list[float]]:
    """Runs a process; returns its wall time in seconds, and the numbers that it printed."""
    began = time.perf_counter()
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    wall = time.perf_counter() - began
    if done.returncode != 0:
        sys.exit(f"{arguments[0]} ended with {done.returncode}")
    return wall, [float(word) for word in done.stdout.split() if word.replace(".", "").isdigit()]


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code + PEAK]


def settled() -> None:
    """Waits until the disk has written what the previous run left behind."""
    os.sync()
    shutil.rmtree("back", ignore_errors=True)


def transfers(command: str, rounds: int) -> None:
    bare = statistics.median(run(python(""))[1][0] for _ in range(5))
    walls: dict[tuple[str, str], list[float]] = {}
    peaks: dict[str, list[float]] = {"push": [], "pull": []}
    # The first round is a warm-up.
    for index in range(rounds + 1):
        ours, theirs = f"1.{index}", f"2.{index}"
        turns: list[tuple[str, str, list[str]]] = [
            ("push", "command", [command, "push", "m", "model.bin", "--version", theirs, "--no-copy"]),
            ("push", "python", python(CHILD.format(call=PUSH.format(version=ours)))),
            ("pull", "command", [command, "pull", f"m@{theirs}", "back"]),
            ("pull", "python", python(CHILD.format(call=PULL.format(version=ours)))),
        ]
        if index % 2:
            turns = [turns[1], turns[0], turns[3], turns[2]]
        for verb, who, arguments in turns:
            settled()
            wall, said = run(arguments)
            if index == 0:
                continue
            if who == "command":
                walls.setdefault((verb, who), []).append(wall)
            else:
                walls.setdefault((verb, who), []).append(said[0])
                walls.setdefault((verb, "python, whole process"), []).append(wall)
                peaks[verb].append(said[1] - bare)
    for verb in ("push", "pull"):
        for who in ("command", "python", "python, whole process"):
            found = walls[verb, who]
            middle = statistics.median(found)
            print(f"{verb} {who}: {middle * 1000:.0f} ms ({min(found) * 1000:.0f} to {max(found) * 1000:.0f})")
        ratio = statistics.median(walls[verb, "python"]) / statistics.median(walls[verb, "command"])
        above = max(peaks[verb]) / 1024
        print(f"{verb}: python / command = {ratio:.3f}; at most {above:.0f} MiB above bare Python")


def interrupts(rounds: int) -> None:
    from modeldepot import ModelStorage

    slow = ModelStorage(limit_rate=20_000_000)

    def ended(call: Callable[[], object]) -> float:
        sent: list[float] = []

        def interrupt() -> None:
            sent.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)

        threading.Timer(0.5 + random.random() / 5, interrupt).start()
        try:
            call()
        except KeyboardInterrupt:
            return time.perf_counter() - sent[0]
        sys.exit("it ended before it was interrupted")

    calls: dict[str, Callable[[], object]] = {
        "push": lambda: slow.upload_model("model.bin", "i", resume=False, copy=False),
        "pull": lambda: slow.download_model("m", local_dir="back"),
        "verify": lambda: slow.verify("m"),
    }
    for verb, call in calls.items():
        found = []
        for _ in range(rounds):
            settled()
            found.append(ended(call) * 1000)
        print(f"Ctrl-C in a {verb}: over after {statistics.median(found):.0f} ms, at most {max(found):.0f} ms")


def main() -> None:
    command = str(Path(sys.argv[1]).resolve())
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 11
    for name in list(os.environ):
        if name.startswith(("S3_", "AWS_")):
            del os.environ[name]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["XDG_STATE_HOME"] = folder
        Path("model.bin").write_bytes(random.Random(0).randbytes(SIZE))
        arguments = [command, "--json", "up", "--no-console", "--no-login", "--listen", "127.0.0.1:0"]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            said = ""
            while "}" not in said:
                said += server.stdout.readline()
            os.environ["S3_ENDPOINT"] = json.loads(said)["endpoint"]
            transfers(command, rounds)
            interrupts(rounds)
            server.terminate()
        os.chdir("/")


if __name__ == "__main__":
    main()
