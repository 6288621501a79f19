"""Publishes the best model of a Keras training."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from typing import Any, Optional

import keras

from ._best import Best
from ._modeldepot import ModelStorage, Published


class PublishBest(keras.callbacks.Callback):  # type: ignore[misc, unused-ignore]
    """Keeps the model of the best epoch, and publishes it with its history when the training ends.

    Parameters
    ----------
    name : str
        The model's name in the bucket.
    monitor : str, default "val_loss"
        The metric that decides.
    mode : {"auto", "min", "max"}, default "auto"
        Whether less or more of it is better; ``auto`` tells by its name.
    storage : ModelStorage, optional
        Where to publish; without one, where the environment says.
    metadata : dict, optional
        What is to be said about the version beside its metrics.
    version : str, optional
        The version; without one, the second of publishing, UTC.

    Attributes
    ----------
    published : Published or None
        What was published, when the training has ended.
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
        self._storage, self._metadata, self._version = storage, dict(metadata or {}), version
        self._folder: Optional[tempfile.TemporaryDirectory[str]] = None

    def _path(self) -> str:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="modeldepot-")
        return os.path.join(self._folder.name, "best_model.keras")

    def on_epoch_end(self, epoch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        if self._best.better(epoch + 1, logs or {}):
            model: Any = self.model
            model.save(self._path())

    def on_train_end(self, logs: Optional[Mapping[str, Any]] = None) -> None:
        if self._best.value is None:
            return
        self.published = self._best.publish(
            self._storage, self._path(), self.name, version=self._version, metadata=self._metadata
        )
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
