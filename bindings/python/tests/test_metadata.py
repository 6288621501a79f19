"""Metadata: plain dicts in, plain dicts out; values that are not JSON are refused with their keys."""

import collections
import datetime
import decimal
import enum
from pathlib import Path
from typing import Any

import pytest

from modeldepot import InvalidError, ModelStorage


class Optimizer(str, enum.Enum):
    ADAMW = "AdamW"


def test_plain_values_come_back_as_they_were(storage: ModelStorage, model: Path) -> None:
    metadata: dict[str, Any] = {
        "none": None,
        "true": True,
        "int": -3,
        "large": 2**64 - 1,
        "float": 0.1,
        "last bit": 0.9755555555555555,
        "whole": 3.0,
        "text": "naïve ☃",
        "list": [1, [2.5, {"deep": ()}]],
        "ordered": collections.OrderedDict(z=1, a=2),
        "optimizer": Optimizer.ADAMW,
    }
    storage.upload_model(model, "m", "1", metadata)
    found = storage.describe("m").metadata
    assert found == {**metadata, "list": [1, [2.5, {"deep": []}]], "optimizer": "AdamW"}
    assert list(found) == list(metadata), "in their order"
    assert list(found["ordered"]) == ["z", "a"]
    assert storage.upload_model(model, "m", "1", metadata).already, "the same again"
    assert type(found["whole"]) is float and type(found["int"]) is int and found["true"] is True


def test_numpy_scalars_are_numbers(storage: ModelStorage, model: Path) -> None:
    numpy = pytest.importorskip("numpy")
    metadata = {
        "loss": numpy.float32(0.25),
        "accuracy": numpy.float64(0.95),
        "epochs": numpy.int64(10),
        "best": numpy.bool_(True),
        "name": numpy.str_("resnet18"),
        "zero": numpy.array(7),
        "history": [numpy.float16(0.5)],
    }
    storage.upload_model(model, "m", "1", metadata)
    assert storage.describe("m").metadata == {
        "loss": 0.25,
        "accuracy": 0.95,
        "epochs": 10,
        "best": True,
        "name": "resnet18",
        "zero": 7,
        "history": [0.5],
    }
    with pytest.raises(InvalidError, match=r"`metadata\[\"weights\"\]` is of type `numpy.ndarray`") as raised:
        storage.upload_model(model, "m", "2", {"weights": numpy.zeros(3)})
    assert raised.value.hint is not None and "tolist" in raised.value.hint


def cycle() -> dict[str, Any]:
    around: dict[str, Any] = {}
    around["again"] = around
    return around


@pytest.mark.parametrize(
    "metadata, message",
    [
        ({"a": {"b": [1, object()]}}, r"`metadata\[\"a\"\]\[\"b\"\]\[1\]` is of type `object`, which is not JSON"),
        ({"when": datetime.datetime(2025, 1, 1)}, r"`metadata\[\"when\"\]` is of type `datetime.datetime`"),
        ({"price": decimal.Decimal(1)}, r"`metadata\[\"price\"\]` is of type `decimal.Decimal`"),
        ({"loss": float("nan")}, r"`metadata\[\"loss\"\]` is NaN"),
        ({"loss": [float("-inf")]}, r"`metadata\[\"loss\"\]\[0\]` is -inf"),
        ({"n": 2**64}, r"`metadata\[\"n\"\]` is too large"),
        ({1: "x"}, r"`metadata` has a key of type `int`"),
        ({"s": {1, 2}}, r"`metadata\[\"s\"\]` is of type `set`"),
        ({"b": b"bytes"}, r"`metadata\[\"b\"\]` is of type `bytes`"),
        (["not", "a dict"], "`metadata` is of type `list`, not a dict"),
        (cycle(), r"`metadata\[\"again\"\]\[\"again\"\]…` is nested deeper than 64"),
    ],
)
def test_what_is_not_json_is_refused_with_its_key(
    storage: ModelStorage, model: Path, metadata: Any, message: str
) -> None:
    with pytest.raises(InvalidError, match=message):
        storage.upload_model(model, "m", "1", metadata)
    assert storage.models() == []
