"""Runs the example scripts and the notebook, as readers would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modeldepot import ModelStorage

EXAMPLES = Path(__file__).parents[3] / "examples"


def script(name: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, EXAMPLES / name], capture_output=True, text=True, env=os.environ)


def test_the_documents_scripts(storage: ModelStorage, boto: Any) -> None:
    pytest.importorskip("sklearn")
    uploaded = script("upload_model.py")
    assert uploaded.returncode == 0, uploaded.stderr
    [version] = storage.list_model_versions("digits_classifier")
    assert f"Version: {version}\n" in uploaded.stdout
    found = storage.describe("digits_classifier")
    assert [file.path for file in found.files] == ["best_model.joblib", "training_history.json"]
    history = json.loads(Path("models/training_history.json").read_text())
    assert found.metadata["val_accuracy"] == max(history["val_accuracy"]) > 0.95, "it was trained"
    assert history["train_loss"][0] > 5 * history["train_loss"][-1]
    assert (found.metadata["total_epochs"], found.metadata["num_classes"]) == (30, 10)

    verified = script("verify_s3.py")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert {line[:4] for line in verified.stdout.splitlines()} == {f"{step}. ✅" for step in range(1, 8)}

    model = storage.load("digits_classifier", allow_pickle=True)
    from sklearn.datasets import load_digits

    images, digits = load_digits(return_X_y=True)
    assert model.score(images / 16.0, digits) > 0.95

    # Files in the folder are not fetched again, so their damage in the bucket would go unnoticed.
    shutil.rmtree("models/downloaded")
    boto.put_object(Bucket=storage.bucket, Key=found.manifest["model_file"], Body=b"damaged")
    damaged = script("verify_s3.py")
    assert damaged.returncode == 1
    assert "`best_model.joblib`" in damaged.stderr, damaged.stderr
    assert "2. ✅" in damaged.stdout and "3. ✅" not in damaged.stdout


def test_the_notebook(storage: ModelStorage, tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    for module in ("ipykernel", "sklearn", "matplotlib", "tqdm"):
        pytest.importorskip(module)
    notebook = nbformat.read(EXAMPLES / "quickstart.ipynb", as_version=4)
    # The kernel of this Python, even if others are registered.
    nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert "image/png" in kinds, "there is a plot"
    assert any("pushing" in output.get("text", "") or "pushing" in str(output.get("data")) for output in outputs)
    assert notebook.cells[-1].outputs[0]["data"]["text/plain"] == "True"
    assert len(storage.list_model_versions("digits_classifier")) == 1
