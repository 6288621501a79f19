"""Runs every example in the docstrings and in docs/python.md."""

import doctest
import importlib
from pathlib import Path

import pytest

import modeldepot
from modeldepot import ModelStorage

MODULES = ["modeldepot._modeldepot", "modeldepot._errors", "modeldepot.fsspec"]
PAGE = Path(__file__).parents[3] / "docs" / "python.md"


def examples() -> list[doctest.DocTest]:
    found = []
    for name in MODULES:
        module = importlib.import_module(name)
        for kind in vars(module).values():
            if not isinstance(kind, type) or not kind.__module__.startswith("modeldepot"):
                continue
            members = {kind.__name__: kind, **{f"{kind.__name__}.{n}": m for n, m in vars(kind).items()}}
            for title, member in members.items():
                parsed = doctest.DocTestParser().get_doctest(member.__doc__ or "", vars(modeldepot), title, None, 0)
                if parsed.examples and parsed not in found:
                    found.append(parsed)
    return found


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)
def test_an_example(example: doctest.DocTest, storage: ModelStorage, model: Path) -> None:
    model.write_bytes(b"\xff" * 4096)
    model.with_name("notes.txt").write_text("twelve bytes")
    if example.name not in ("ModelStorage", "ModelStorage.upload_model"):
        storage.upload_model(model, "plant_classifier", "1.0.0", {"val_accuracy": 0.95})
    if example.name.endswith("delete_model_version"):
        storage.upload_model(model, "plant_segmenter", "0.1.0")
    example.globs = {name: getattr(modeldepot, name) for name in modeldepot.__all__}
    example.globs["ModelStorage"] = ModelStorage
    run(example)


def test_the_page(surroundings: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("fsspec", "joblib", "numpy", "safetensors"):
        pytest.importorskip(module)
    monkeypatch.delenv("S3_BUCKET_MODELS")
    Path("best_model.pth").write_bytes(bytes(132_000_000))
    Path("training_history.json").write_text('{"train_loss": [0.61, 0.13], "val_loss": [0.66, 0.47]}')
    # A fence ends the expected output, like an empty line.
    text = "\n".join("" if line.startswith("```") else line for line in PAGE.read_text().splitlines())
    page = doctest.DocTestParser().get_doctest(text, {}, "python.md", str(PAGE), 0)
    assert len(page.examples) > 40
    run(page)


def run(example: doctest.DocTest) -> None:
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(example, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def test_there_are_examples() -> None:
    names = {example.name for example in examples()}
    verbs = [name for name in vars(ModelStorage) if not name.startswith("_")]
    documented = {f"ModelStorage.{verb}" for verb in verbs} - {"ModelStorage.save", "ModelStorage.load"}
    properties = {f"ModelStorage.{name}" for name in ("endpoint", "bucket", "prefix", "client")}
    assert documented - properties <= names


def test_everything_public_is_documented() -> None:
    for name in modeldepot.__all__:
        member = getattr(modeldepot, name)
        if not isinstance(member, type):
            continue
        assert member.__doc__, name
        for inner, value in vars(member).items():
            if not inner.startswith("_") and callable(value):
                assert value.__doc__ and "Returns\n" in value.__doc__, f"{name}.{inner}"
                assert "Raises\n" in value.__doc__ or issubclass(member, Exception), f"{name}.{inner}"
