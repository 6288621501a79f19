"""The callbacks of the frameworks, each with the framework itself where it is installed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modeldepot import InvalidError, ModelStorage
from modeldepot._best import Best


def history(storage: ModelStorage, name: str, file: str = "training_history.json") -> Any:
    with storage.open(name, file) as opened:
        return json.load(opened)


def test_the_best_is_the_first_of_the_highest_or_lowest() -> None:
    accuracy = Best("val_acc", "auto")
    assert [accuracy.better(n, {"val_acc": value}) for n, value in enumerate((0.5, 0.7, 0.7, 0.6))] == [
        True,
        True,
        False,
        False,
    ]
    loss = Best("val_loss", "auto")
    values = (float("nan"), 0.9, 0.3, float("nan"), 0.4)
    assert [loss.better(n, {"val_loss": value}) for n, value in enumerate(values)] == [False, True, True, False, False]
    assert Best("anything", "max").higher and not Best("accuracy", "min").higher
    with pytest.raises(InvalidError, match="there is no metric `val_los`") as raised:
        Best("val_los", "auto").better(1, {"val_loss": 1.0, "model": "text"})
    assert raised.value.hint == "the metrics are `val_loss`"
    with pytest.raises(InvalidError, match="is not a mode"):
        Best("val_loss", "most")


@pytest.mark.filterwarnings("ignore")
def test_keras(storage: ModelStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    if "KERAS_BACKEND" not in os.environ:
        pytest.importorskip("jax")
        monkeypatch.setenv("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    numpy = pytest.importorskip("numpy")
    from modeldepot.keras import PublishBest

    random = numpy.random.default_rng(0)
    x = random.normal(size=(64, 3)).astype("float32")
    y = (x.sum(axis=1) > 0).astype("float32")
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    callback = PublishBest("keras_model", metadata={"framework": "keras"})
    fitted = model.fit(x, y, validation_split=0.25, epochs=4, verbose=0, callbacks=[callback])

    assert callback.published is not None
    found = storage.describe("keras_model")
    assert (found.model_file, found.metadata["framework"]) == ("best_model.keras", "keras")
    assert found.metadata["total_epochs"] == 4
    losses = [epoch["val_loss"] for epoch in history(storage, "keras_model")]
    assert losses == pytest.approx(fitted.history["val_loss"])
    again = keras.saving.load_model(storage.download_model("keras_model", local_dir="back"))
    loss, _ = again.evaluate(x[48:], y[48:], verbose=0)
    assert loss == pytest.approx(min(losses), rel=1e-4), "it is the model of the best epoch"


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")
def test_lightning(storage: ModelStorage) -> None:
    lightning = pytest.importorskip("lightning")
    torch = pytest.importorskip("torch")
    from modeldepot.lightning import PublishBest

    losses = iter([0.9, 0.3, 0.5])

    class Module(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 1)

        def training_step(self, batch: Any, _: int) -> Any:
            return self.layer(batch[0]).pow(2).mean()

        def validation_step(self, batch: Any, _: int) -> None:
            self.log("val_loss", next(losses))

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), 0.01)

    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(4, 2)), batch_size=4)
    callback = PublishBest("lightning_model")
    trainer = lightning.Trainer(
        max_epochs=3,
        num_sanity_val_steps=0,
        callbacks=[callback],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        accelerator="cpu",
    )
    trainer.fit(Module(), data, data)
    assert callback.published is not None
    found = storage.describe("lightning_model")
    assert found.model_file == "best_model.ckpt"
    assert found.metadata["best_epoch"] == 2
    checkpoint = torch.load(storage.download_model("lightning_model", local_dir="back"), weights_only=False)
    assert checkpoint["epoch"] == 1, "Lightning counts from 0"


@pytest.mark.filterwarnings("ignore")
def test_hugging_face(storage: ModelStorage, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from modeldepot.transformers import PublishBest

    # The trainer itself needs PyTorch. Its state is real, and it calls callbacks with exactly these arguments.
    output = tmp_path / "output"
    for step in (10, 20):
        folder = output / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(bytes([step]) * 100)
        (folder / "config.json").write_text("{}")
        (folder / "optimizer.pt").write_bytes(b"z" * 1000)
        (folder / "trainer_state.json").write_text("{}")
    log = [{"epoch": step / 10, "step": step, "eval_loss": loss} for step, loss in ((10, 0.3), (20, 0.5))]
    state = transformers.TrainerState(
        global_step=20, log_history=log, best_model_checkpoint=str(output / "checkpoint-10"), is_world_process_zero=True
    )
    callback = PublishBest("hugging_face_model", metadata={"base": "tiny"})
    arguments = SimpleNamespace(output_dir=str(output))
    callback.on_train_end(arguments, state, transformers.TrainerControl())
    assert callback.published is not None
    found = storage.describe("hugging_face_model")
    assert [file.path for file in found.files] == ["config.json", "model.safetensors", "trainer_state.json"]
    assert (found.metadata["best_epoch"], found.metadata["val_loss"], found.metadata["base"]) == (1, 0.3, "tiny")
    assert len(history(storage, "hugging_face_model", "trainer_state.json")["log_history"]) == 2
    with storage.open("hugging_face_model") as file:
        assert file.read(1) == b"\n", "the best checkpoint, not the last"

    state.is_world_process_zero = False
    PublishBest("another").on_train_end(arguments, state, transformers.TrainerControl())
    assert [model.name for model in storage.models()] == ["hugging_face_model"]
    state.is_world_process_zero, state.best_model_checkpoint, state.global_step = True, None, 7
    with pytest.raises(InvalidError, match="there is no checkpoint"):
        PublishBest("another").on_train_end(arguments, state, transformers.TrainerControl())
