"""Saving objects from memory and loading them."""

from __future__ import annotations

import ast
import contextlib
import importlib
import os
import pickle
import sys
import types
from pathlib import Path
from typing import Any, Optional

import pytest

from modeldepot import ConflictError, InvalidError, ModelDepotError, ModelStorage


@pytest.fixture
def no_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Makes all temporary files fail, on systems with files in memory."""
    with contextlib.suppress(ImportError):
        importlib.import_module("scipy.stats")  # creates a temporary folder at the first import
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


def test_arrays_keep_their_shape(storage: ModelStorage) -> None:
    numpy = pytest.importorskip("numpy")
    pytest.importorskip("safetensors")
    arrays = {
        "none": numpy.array(1.5),
        "scalar": numpy.float32(2.5),
        "one": numpy.array([1]),
        "empty": numpy.zeros((0, 3)),
        "view": numpy.arange(12.0).reshape(3, 4)[::2, ::-1],
        "fortran": numpy.asfortranarray(numpy.arange(6).reshape(2, 3)),
        "big": numpy.arange(3, dtype=">f4"),
        "true": numpy.array(True),
    }
    storage.save(arrays, "m")
    back = storage.load("m", framework="numpy")
    for name, array in arrays.items():
        assert back[name].shape == array.shape and (back[name] == array).all(), name
    buffer = __import__("io").BytesIO()
    numpy.savez(buffer, **arrays)
    Path("weights.npz").write_bytes(buffer.getvalue())
    storage.upload_model("weights.npz", "npz", "1")
    assert storage.load("npz")["none"].shape == ()


def test_bfloat16(storage: ModelStorage) -> None:
    numpy = pytest.importorskip("numpy")
    pytest.importorskip("safetensors")
    ml_dtypes = pytest.importorskip("ml_dtypes")
    weights = {"w": numpy.arange(6).reshape(2, 3).astype(ml_dtypes.bfloat16), "b": numpy.zeros((), ml_dtypes.bfloat16)}
    storage.save(weights, "m")
    back = storage.load("m", framework="numpy")
    assert back["w"].dtype == ml_dtypes.bfloat16 and back["w"].tobytes() == weights["w"].tobytes()
    assert back["b"].shape == () and back["b"].dtype == ml_dtypes.bfloat16


def test_what_safetensors_cannot_hold_says_so(storage: ModelStorage) -> None:
    numpy = pytest.importorskip("numpy")
    pytest.importorskip("safetensors")
    for array in (numpy.array(["text"]), numpy.array([object()])):
        with pytest.raises(InvalidError, match="safetensors cannot hold these tensors") as raised:
            storage.save({"w": array}, "m")
        assert raised.value.hint is not None and 'format="joblib"' in raised.value.hint
    assert storage.models() == []


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


def estimators() -> list[Any]:
    ensemble = pytest.importorskip("sklearn.ensemble")
    neural = pytest.importorskip("sklearn.neural_network")
    tree = pytest.importorskip("sklearn.tree")
    kinds = [
        tree.DecisionTreeClassifier(),
        ensemble.RandomForestClassifier(n_estimators=3),
        ensemble.GradientBoostingClassifier(n_estimators=3),
        ensemble.HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=1),
        ensemble.AdaBoostClassifier(n_estimators=3),
        neural.MLPClassifier(hidden_layer_sizes=(2,), max_iter=3),
        neural.MLPClassifier(hidden_layer_sizes=(2,), max_iter=3, solver="sgd"),
    ]
    with contextlib.suppress(ImportError):
        xgboost = __import__("xgboost")
        kinds += [xgboost.XGBClassifier(n_estimators=3), xgboost.XGBRegressor(n_estimators=3)]
    return kinds


@pytest.mark.filterwarnings("ignore")
def test_estimators_load_or_are_refused_when_they_are_saved(storage: ModelStorage, no_disk: None) -> None:
    pytest.importorskip("skops")
    rows, classes = [[0.0], [1.0], [2.0], [3.0]] * 5, [0, 0, 1, 1] * 5
    asked = set()
    for number, estimator in enumerate(estimators()):
        kind = type(estimator).__name__
        estimator.fit(rows, classes)
        expected = list(estimator.predict(rows))
        try:
            storage.save(estimator, "m", f"{number}")
            back = storage.load(f"m@{number}")
        except ModelDepotError as error:
            assert "holds types that skops does not trust, so `load` would refuse it" in error.message
            # The hint says what to pass to both.
            asked.add(kind)
            assert error.hint is not None
            trusted = ast.literal_eval(error.hint.split("trusted=")[1].split("]")[0] + "]")
            storage.save(estimator, "m", f"{number}", trusted=trusted)
            with pytest.raises(InvalidError, match="holds types that skops does not trust") as raised:
                storage.load(f"m@{number}")
            assert str(trusted) in str(raised.value.hint)
            back = storage.load(f"m@{number}", trusted=trusted)
        assert list(back.predict(rows)) == expected, kind
    assert "MLPClassifier" not in asked and "RandomForestClassifier" in asked


def test_an_estimator_that_skops_cannot_write_says_so(storage: ModelStorage) -> None:
    pytest.importorskip("skops")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    with pytest.raises(InvalidError) as raised:
        storage.save(preprocessing.FunctionTransformer(lambda rows: rows).fit([[1.0]]), "m")
    assert raised.value.hint is not None and 'format="joblib"' in raised.value.hint
    assert storage.models() == []


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
    storage.save({"layer": layer, "epoch": 3}, "code", "1", format="torch")
    with pytest.raises(InvalidError, match="`model.pth` holds more than tensors") as raised:
        storage.load("code")
    assert raised.value.hint is not None and "allow_pickle=True" in raised.value.hint
    assert storage.load("code", allow_pickle=True)["epoch"] == 3
    for state in (storage.load("m@1"), storage.load("m@2"), storage.load("m@2", allow_pickle=True)):
        again = torch.nn.Linear(3, 2)
        again.load_state_dict(state)
        assert torch.equal(again.weight, layer.weight)
    weights = {"w": torch.arange(6).reshape(2, 3).to(torch.bfloat16), "b": torch.tensor(0.5, dtype=torch.bfloat16)}
    storage.save(weights, "half", "1")
    half = storage.load("half")
    assert half["b"].shape == () and all(torch.equal(half[name], tensor) for name, tensor in weights.items())
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


class FakeTorch(types.ModuleType):
    """The parts of PyTorch that `load` calls."""

    def __init__(self, version: str, refusal: Optional[Exception] = None):
        super().__init__("torch")
        self.__version__ = version
        self.refusal = refusal or pickle.UnpicklingError("Weights only load failed.")
        self.asked: list[Optional[bool]] = []

    def load(self, file: Any, map_location: str, *, weights_only: Optional[bool] = None) -> Any:
        self.asked.append(weights_only)
        assert file.read() == bytes(range(256)) * 16
        if weights_only:
            raise self.refusal
        return "an object"


class OldTorch(FakeTorch):
    """A version before 1.13, which passes unknown arguments to the unpickler."""

    def load(self, file: Any, map_location: str, **pickle_load_args: Any) -> Any:
        assert not pickle_load_args
        self.asked.append(None)
        return "an object"


@pytest.fixture
def checkpoint(storage: ModelStorage, model: Path) -> ModelStorage:
    storage.upload_model(model, "m", "1")
    return storage


def test_a_checkpoint_of_tensors_needs_no_flag(checkpoint: ModelStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = FakeTorch("2.6.0+cu124")
    monkeypatch.setattr(torch, "load", lambda file, map_location, weights_only: {"weights_only": weights_only})
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert checkpoint.load("m") == {"weights_only": True}
    assert checkpoint.load("m", allow_pickle=True) == {"weights_only": True}, "no code is run without need"


@pytest.mark.parametrize(
    "refusal",
    [
        pickle.UnpicklingError("Weights only load failed. Un\u202esafe\nSet weights_only=False"),
        RuntimeError("Cannot use ``weights_only=True`` with TorchScript archives passed to ``torch.load``."),
    ],
)
def test_a_checkpoint_with_code_asks(
    checkpoint: ModelStorage, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    torch = FakeTorch("2.10.1", refusal)
    monkeypatch.setitem(sys.modules, "torch", torch)
    with pytest.raises(InvalidError, match="`best_model.pth` holds more than tensors and plain values") as raised:
        checkpoint.load("m")
    assert torch.asked == [True], "no code was run"
    assert raised.value.hint is not None and "pass allow_pickle=True" in raised.value.hint
    assert "\u202e" not in str(raised.value)
    assert checkpoint.load("m", allow_pickle=True) == "an object"
    assert torch.asked == [True, True, False]


def test_other_failures_run_no_code(checkpoint: ModelStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = FakeTorch("2.6.0", RuntimeError("Attempting to deserialize object on a CUDA device"))
    monkeypatch.setitem(sys.modules, "torch", torch)
    with pytest.raises(RuntimeError, match="CUDA"):
        checkpoint.load("m", allow_pickle=True)
    assert torch.asked == [True]


@pytest.mark.parametrize("version", ["2.5.1+cu121", "1.13.0", "1.9.0", "0.4", "unknown"])
def test_an_old_torch_asks(checkpoint: ModelStorage, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    """Before 2.6, checkpoints could run code even with `weights_only=True`."""
    torch = OldTorch(version) if version < "1.13" else FakeTorch(version)
    monkeypatch.setitem(sys.modules, "torch", torch)
    with pytest.raises(InvalidError, match="cannot load `best_model.pth` without running code") as raised:
        checkpoint.load("m")
    assert torch.asked == []
    assert raised.value.hint is not None and "update PyTorch to 2.6" in raised.value.hint
    assert checkpoint.load("m", allow_pickle=True) == "an object"
    assert len(torch.asked) == 1 and not torch.asked[0]
