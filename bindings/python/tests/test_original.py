"""Compatibility with the layout of the boto3 pipeline that this project replaces."""

import os
import subprocess
import sys
from pathlib import Path

from modeldepot import ModelStorage

PIPELINE = Path(__file__).parents[3] / "tests" / "python" / "original_pipeline.py"


def original(*arguments: str) -> None:
    subprocess.run([sys.executable, str(PIPELINE), *arguments], check=True, env=os.environ)


def test_boto3_reads_what_we_wrote(storage: ModelStorage, large: Path) -> None:
    config = large.with_name("config.json")
    config.write_text("{}")
    storage.upload_model(large, "m", "20251028_181858", {"val_accuracy": 0.95}, [config])
    original("pull", "m", "20251028_181858", "back")
    assert Path("back/large.bin").read_bytes() == large.read_bytes()
    assert Path("back/config.json").read_text() == "{}"


def test_we_read_what_boto3_wrote(storage: ModelStorage, large: Path) -> None:
    history = large.with_name("training_history.json")
    history.write_text("[]")
    original("push", str(large), "m", "20251028_181858", str(history))
    found = storage.describe("m")
    assert (found.version, found.metadata["num_classes"]) == ("20251028_181858", 2)
    assert found.files[0].blake3 is None
    verified = storage.verify("m")
    assert not verified.intact and len(verified.unverified) == 1
    assert Path(storage.download_model("m", local_dir="back")).read_bytes() == large.read_bytes()
    with storage.open("m") as file:
        file.seek(-7, os.SEEK_END)
        assert file.read() == b"the end"
