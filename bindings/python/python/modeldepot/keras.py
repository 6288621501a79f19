"""Publishes the best model of a Keras training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

import keras

from ._best import Best, Checkpoint
from ._modeldepot import ModelStorage, Published


class PublishBest(keras.callbacks.Callback):  # type: ignore[misc, unused-ignore]
    """Keeps the model of the best epoch and publishes it with its history when training ends.

    Parameters
    ----------
    name : str
        The model's name.
    monitor : str, default "val_loss"
        The metric that decides.
    mode : {"auto", "min", "max"}, default "auto"
        Whether lower or higher is better; ``auto`` decides by the metric's name.
    storage : ModelStorage, optional
        The storage; by default configured by the environment.
    metadata : dict, optional
        Metadata of the version, in addition to its metrics.
    version : str, optional
        The version; by default the current UTC second.

    Attributes
    ----------
    published : Published or None
        The published version, once training has ended.
    """

    def __init__(
        self,
        name: str,
        monitor: str = "val_loss",
        mode: str = "auto",
        *,
        storage: Optional[ModelStorage] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        version: Optional[str] = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.published: Optional[Published] = None
        self._best = Best(monitor, mode)
        self._checkpoint = Checkpoint("best_model.keras", name, storage, metadata, version)

    def on_epoch_end(self, epoch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        if self._best.better(epoch + 1, logs or {}):
            model: Any = self.model
            model.save(self._checkpoint.path())

    def on_train_end(self, logs: Optional[Mapping[str, Any]] = None) -> None:
        if self._best.value is None:
            return
        self.published = self._checkpoint.publish(self._best)
        self._checkpoint.clear()
