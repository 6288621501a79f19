"""Objects saved from memory and loaded into it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from modeldepot import ConflictError, InvalidError, ModelStorage


@pytest.fixture
def no_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Lets every temporary file fail, where the system has files in memory."""
    if hasattr(os, "memfd_create"):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "no-such-folder"))


def test_arrays_by_safetensors(storage: ModelStorage, no_disk: None) -> None:
    numpy = pytest.importorskip("numpy")
    pytest.importorskip("safetensors")
    weights = {"w": numpy.arange(6.0).reshape(2, 3).T, "b": numpy.zeros(3, "float16")}
    published = storage.save(weights, "m", "1", {"val_loss": numpy.float32(0.5)})
    assert str(published) == "m@1"
    found = storage.describe("m")
    assert (found.model_file, found.metadata) == ("model.safetensors", {"val_loss": 0.5})
    back = storage.load("m@1", framework="numpy")
    assert set(back) == {"w", "b"}
    assert (back["w"] == weights["w"]).all() and back["b"].dtype == numpy.float16


def test_a_name_with_its_version(storage: ModelStorage) -> None:
    numpy = pytest.importorskip("numpy")
    pytest.importorskip("safetensors")
    storage.save({"a": numpy.zeros(1)}, "m@7", file_name="weights.safetensors")
    assert storage.describe("m@7").model_file == "weights.safetensors"
    with pytest.raises(InvalidError, match="names a version, and `version` is given too"):
        storage.save({"a": numpy.zeros(1)}, "m@7", "8")
    with pytest.raises(ConflictError):
        storage.save({"a": numpy.ones(1)}, "m@7", file_name="weights.safetensors")
    assert storage.save({"a": numpy.zeros(1)}, "m@7", file_name="weights.safetensors").already


@pytest.fixture
def classifier() -> Any:
    neural = pytest.importorskip("sklearn.linear_model")
    return neural.LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])


def test_scikit_learn_by_skops(storage: ModelStorage, classifier: Any, no_disk: None) -> None:
    pytest.importorskip("skops")
    storage.save(classifier, "m")
    assert storage.describe("m").model_file == "model.skops"
    assert list(storage.load("m").predict([[0.0], [3.0]])) == [0, 1]


def test_a_pickle_asks(storage: ModelStorage, classifier: Any, no_disk: None) -> None:
    pytest.importorskip("joblib")
    storage.save(classifier, "m", format="joblib")
    with pytest.raises(InvalidError, match="`model.joblib` is a pickle") as raised:
        storage.load("m")
    assert raised.value.hint is not None and "allow_pickle=True" in raised.value.hint
    assert list(storage.load("m", allow_pickle=True).predict([[0.0], [3.0]])) == [0, 1]


def test_joblib_where_there_is_no_skops(
    storage: ModelStorage, classifier: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("joblib")
    monkeypatch.setattr("modeldepot._objects.installed", lambda module: False)
    storage.save(classifier, "m")
    assert storage.describe("m").model_file == "model.joblib"


def test_onnx(storage: ModelStorage, no_disk: None) -> None:
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    value = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", value[:1], value[1:])
    model = helper.make_model(graph)
    storage.save(model, "m")
    assert storage.describe("m").model_file == "model.onnx"
    assert storage.load("m") == model


@pytest.mark.torch
def test_torch(storage: ModelStorage, no_disk: None) -> None:
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(3, 2)
    storage.save(layer.state_dict(), "m", "1")
    storage.save(layer.state_dict(), "m", "2", format="torch")
    assert [storage.describe("m", version).model_file for version in "12"] == ["model.safetensors", "model.pth"]
    with pytest.raises(InvalidError, match="`model.pth` is a pickle"):
        storage.load("m@2")
    for state in (storage.load("m@1"), storage.load("m@2", allow_pickle=True)):
        again = torch.nn.Linear(3, 2)
        again.load_state_dict(state)
        assert torch.equal(again.weight, layer.weight)
    storage.save(layer, "module", "1")
    assert set(storage.load("module")) == {"weight", "bias"}
    with pytest.raises(InvalidError, match="is of type `torch.Tensor`"):
        storage.save(layer, "m", "3", {"tensor": torch.zeros(3)})
    assert storage.save(layer, "m", "4", {"loss": torch.tensor(0.5)}).manifest["metadata"] == {"loss": 0.5}


def test_what_has_no_format_says_so(storage: ModelStorage, model: Path) -> None:
    with pytest.raises(InvalidError, match="no format is known for an object of type `builtins.dict`"):
        storage.save({}, "m")
    with pytest.raises(InvalidError, match="`yaml` is not a format"):
        storage.save({}, "m", format="yaml")  # type: ignore[arg-type]
    storage.upload_model(model, "m", "1", file_name="model.xyz")
    with pytest.raises(InvalidError, match="`model.xyz` is of no known format"):
        storage.load("m")


def test_what_is_not_installed_is_named(storage: ModelStorage, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.upload_model(model, "m", "1", file_name="model.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InvalidError, match="this needs `onnx`, which cannot be imported") as raised:
        storage.load("m")
    assert raised.value.hint == "`pip install onnx`"
