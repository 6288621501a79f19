"""What the callbacks of all frameworks have in common: choosing the best epoch, and publishing it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
from collections.abc import Generator, Mapping
from typing import Any, Optional

from ._errors import InvalidError
from ._modeldepot import ModelStorage, Published


class Best:
    """Follows a metric over the epochs, and keeps the history."""

    def __init__(self, monitor: str, mode: str) -> None:
        if mode not in ("auto", "min", "max"):
            raise InvalidError(f"`{mode}` is not a mode", "use auto, min or max")
        # As in Keras: for accuracies and scores higher is better, for everything else lower.
        higher = any(word in monitor for word in ("acc", "auc", "f1", "precision", "recall", "score"))
        self.monitor = monitor
        self.higher = mode == "max" or (mode == "auto" and higher)
        self.value: Optional[float] = None
        self.epochs: list[dict[str, float]] = []

    def better(self, epoch: float, logs: Mapping[str, Any]) -> bool:
        """Records an epoch's metrics, and returns whether it is the best so far."""
        values = {name: float(value) for name, value in logs.items() if _is_number(value)}
        self.epochs.append({"epoch": epoch, **values})
        if self.monitor not in values:
            known = ", ".join(f"`{name}`" for name in values) or "none"
            raise InvalidError(f"there is no metric `{self.monitor}`", f"the metrics are {known}")
        found = values[self.monitor]
        if math.isnan(found):
            return False
        if self.value is None or (found > self.value if self.higher else found < self.value):
            self.value = found
            return True
        return False

    @contextlib.contextmanager
    def history(self) -> Generator[str, None, None]:
        """Writes the history to a temporary file."""
        with tempfile.TemporaryDirectory(prefix="modeldepot-") as folder:
            path = os.path.join(folder, "training_history.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump([_finite(epoch) for epoch in self.epochs], file, indent=1)
            yield path


class Checkpoint:
    """The best checkpoint, in a temporary folder until it is published."""

    def __init__(
        self,
        file: str,
        name: str,
        storage: Optional[ModelStorage],
        metadata: Optional[Mapping[str, Any]],
        version: Optional[str],
    ) -> None:
        self._file, self._name, self._storage = file, name, storage
        self._metadata, self._version = dict(metadata or {}), version
        self._folder: Optional[tempfile.TemporaryDirectory[str]] = None

    def path(self) -> str:
        """Returns the path to write it to."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="modeldepot-")
        return os.path.join(self._folder.name, self._file)

    def publish(self, best: Best) -> Published:
        """Publishes it with the training history."""
        with best.history() as history:
            return (self._storage or ModelStorage()).upload_model(
                self.path(), self._name, version=self._version, metadata=self._metadata, history=history
            )

    def clear(self) -> None:
        """Removes it."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, (str, bytes))


def _finite(epoch: Mapping[str, float]) -> dict[str, Optional[float]]:
    """Replaces NaN and infinities, which JSON does not have."""
    return {name: value if math.isfinite(value) else None for name, value in epoch.items()}
