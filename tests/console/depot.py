"""A separate `modeldepot up` on free loopback ports, and the contents of its buckets for the console tests."""

import json
import math
import os
import random
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import urllib.request
import zlib
from pathlib import Path

HOSTILE = '<script>document.title="injected"</script><img src=x onerror=document.title="injected">"\'`\u202egpj.exe'


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


class Depot:
    """Ends its processes and removes its folder on exit."""

    def __init__(self, binary):
        self.binary = binary
        self.folder = Path(tempfile.mkdtemp(prefix="modeldepot-console-"))
        self.processes = []
        port, self.port = free_port(), free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        self.url = f"http://localhost:{self.port}"
        environment = {name: value for name, value in os.environ.items() if name in ("PATH", "TMPDIR", "RUST_BACKTRACE")}
        self.environment = {**environment, "S3_ENDPOINT": self.endpoint, "HOME": str(self.folder)}
        self.environment |= {"MODELDEPOT_LOGIN": "never", "MODELDEPOT_PUBLISHED_BY": "ci"}
        data = ["--data", str(self.folder / "data"), "--listen", f"127.0.0.1:{port}"]
        self.start(["up", *data, "--console", f"127.0.0.1:{self.port}"])
        self.wait(self.url)

    def start(self, arguments):
        log = open(self.folder / "log", "ab")
        process = subprocess.Popen(
            [self.binary, *arguments], cwd=self.folder, env=self.environment, stdout=log, stderr=log
        )
        self.processes.append(process)

    def wait(self, url):
        for _ in range(300):
            if self.processes[-1].poll() is not None:
                break
            try:
                urllib.request.urlopen(url + "/assets/none", timeout=5)
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"no answer at {url}: {(self.folder / 'log').read_text()[-2000:]}")

    def run(self, *arguments):
        done = subprocess.run(
            [self.binary, *map(str, arguments)], cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise RuntimeError(f"modeldepot {' '.join(map(str, arguments))}: {done.stderr}")
        return done.stdout.strip()

    def write(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def push(self, model, version, history, weights, **metadata):
        folder = self.folder / "push"
        shutil.rmtree(folder, ignore_errors=True)
        self.write("push/best_model.pth", weights)
        self.write("push/config.json", json.dumps({"lr": 0.001, "version": version}))
        meta = self.write("meta.json", json.dumps(metadata))
        files = ["push/best_model.pth", "--with", "push/config.json"]
        if history:
            self.write("push/training_history.json", json.dumps(history))
            files += ["--history", "push/training_history.json"]
        self.run("push", model, *files, "--version", version, "--meta-file", meta, "--quiet")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def history(seed, epochs, best):
    """A training that ends up overfitting. The numbers are invented."""
    noise = random.Random(seed)
    columns = {"train_loss": [], "val_loss": [], "train_acc": [], "val_acc": []}
    for epoch in range(1, epochs + 1):
        gone = 1 - math.exp(-epoch / (epochs / 4))
        late = max(0, epoch - epochs * 0.6) / epochs
        columns["train_loss"].append(round(0.72 - 0.62 * gone + noise.uniform(-0.012, 0.012), 4))
        columns["val_loss"].append(round(0.74 - 0.53 * gone + late * 0.35 + noise.uniform(-0.025, 0.025), 4))
        columns["train_acc"].append(round(0.5 + 0.48 * gone + noise.uniform(-0.008, 0.008), 4))
        columns["val_acc"].append(round(0.5 + (best - 0.5) * gone - late * 0.05 + noise.uniform(-0.012, 0.006), 4))
    return columns


def picture(seed):
    """A PNG that looks roughly like a leaf."""
    noise = random.Random(seed)
    green, tilt = noise.randrange(90, 190), noise.uniform(-0.5, 0.5)
    rows = bytearray()
    for y in range(90):
        rows.append(0)
        for x in range(120):
            u, v = (x - 60) / 52, (y - 45) / 34
            u, v = u + tilt * v, v - tilt * u
            leaf = abs(v) < (1 - u * u) * 0.8
            vein = abs(v) < 0.05 or abs((abs(v) * 2.2 - u) % 0.35) < 0.04
            rows += bytes((40, green - (40 if vein else 0), 60)) if leaf else bytes((228, 226, 214))

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 120, 90, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(rows))) + chunk(b"IEND", b"")


def fill(depot):
    """Models with curves, one without, one of the Python pipeline, a hostile one, and pictures."""
    noise = random.Random(7)
    for number in range(14):
        day, best = 3 + number * 2, 0.88 + 0.006 * number + noise.uniform(-0.012, 0.012)
        weights = bytes([number]) * (1_400_000 + number * 31_000)
        depot.push(
            "plant_classifier", f"202510{day:02}_1818{number:02}", history(number, 18 + number % 3, min(best, 0.985)),
            weights, architecture="resnet18" if number < 9 else "resnet34", num_classes=2,
            learning_rate=0.001 if number % 2 else 0.0005, optimizer={"name": "adamw", "weight_decay": 0.01},
            pretrained=True, notes="augmentation: flips and crops" if number % 3 else "no augmentation",
        )
    depot.push("leaf_segmenter", "1.0.0", history(40, 12, 0.82), b"s" * 900_000, architecture="unet", val_iou=0.71)
    depot.push("leaf_segmenter", "1.1.0", history(41, 12, 0.86), b"t" * 905_000, architecture="unet", val_iou=0.76)
    depot.push("seed_counter", "7", None, b"c" * 120_000, architecture="csrnet", mae=4.2)
    depot.push(
        "hostile", "1", {"train_loss": [0.5, 0.2], "val_loss": [0.6, 0.3], f"val_{HOSTILE}": [1, 2]}, b"x" * 1000,
        **{HOSTILE: HOSTILE, "val_accuracy": 0.5, "nested": {HOSTILE: [HOSTILE]}, "huge": 1e300},
    )
    depot.push("hostile", "2", None, b"y" * 1000, **{HOSTILE: HOSTILE + "2", "val_accuracy": 0.6, "notes": "n" * 5000})
    name = "odd <b>name</b> & 'quotes'.txt"
    depot.write(f"push2/{name}", "text")
    depot.write("push2/model.bin", b"z" * 5000)
    depot.run("push", "hostile", "push2", "--version", "3+odd", "--quiet")
    original(depot)
    for number in range(9):
        path = depot.write("leaf.png", picture(number))
        depot.run("s3", "cp", path, f"s3://plants-images/train/healthy/leaf_{number:03}.png")
    depot.run("s3", "cp", depot.write("labels.csv", "file,label\nleaf_000.png,healthy\n"), "s3://plants-images/labels.csv")
    evil = depot.write("evil.svg", '<svg xmlns="http://www.w3.org/2000/svg"><script>top.injected = 1</script></svg>')
    depot.run("s3", "cp", evil, f"s3://data/{HOSTILE.replace('/', '|')}.svg")
    depot.run("s3", "cp", depot.write("fake.png", "<script>top.injected = 1</script>"), "s3://data/fake.png")


def original(depot):
    """A version of the Python pipeline, whose manifest lists no files."""
    version, weights = "20250901_090000", b"o" * 700_000
    prefix = f"original_classifier/v{version}"
    depot.run("s3", "cp", depot.write("best_model.pth", weights), f"s3://models/{prefix}/best_model.pth")
    past = depot.write("training_history.json", json.dumps(history(3, 10, 0.9)))
    depot.run("s3", "cp", past, f"s3://models/{prefix}/training_history.json")
    import hashlib

    manifest = {
        "model_name": "original_classifier", "version": version, "model_file": f"{prefix}/best_model.pth",
        "model_url": f"http://localhost:9000/models/{prefix}/best_model.pth",
        "checksum": hashlib.md5(weights).hexdigest(),
        "metadata": {"architecture": "resnet18", "num_classes": 2, "best_epoch": 7, "val_accuracy": 0.89},
        "created_at": "2025-09-01T09:00:03.455545",
    }
    path = depot.write("manifest.json", json.dumps(manifest))
    depot.run("s3", "cp", "--force", path, f"s3://models/{prefix}/manifest.json")
