"""What the callbacks of all frameworks share: which epoch is the best, and how it is published."""

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
    """Follows a metric from epoch to epoch, and keeps the history."""

    def __init__(self, monitor: str, mode: str) -> None:
        if mode not in ("auto", "min", "max"):
            raise InvalidError(f"`{mode}` is not a mode", "use auto, min or max")
        # As Keras has it: of an accuracy or a score more is better, of all else less.
        higher = any(word in monitor for word in ("acc", "auc", "f1", "precision", "recall", "score"))
        self.monitor = monitor
        self.higher = mode == "max" or (mode == "auto" and higher)
        self.value: Optional[float] = None
        self.epochs: list[dict[str, float]] = []

    def better(self, epoch: float, logs: Mapping[str, Any]) -> bool:
        """Takes an epoch's metrics, and returns whether it is the best so far."""
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

    def publish(self, storage: Optional[ModelStorage], path: str, name: str, **options: Any) -> Published:
        """Publishes a file or folder with the history of the training."""
        with self.history() as history:
            return (storage or ModelStorage()).upload_model(path, name, history=history, **options)

    @contextlib.contextmanager
    def history(self) -> Generator[str, None, None]:
        """Writes the history to a file that goes away again."""
        with tempfile.TemporaryDirectory(prefix="modeldepot-") as folder:
            path = os.path.join(folder, "training_history.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump([_finite(epoch) for epoch in self.epochs], file, indent=1)
            yield path


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, (str, bytes))


def _finite(epoch: Mapping[str, float]) -> dict[str, Optional[float]]:
    """JSON has no NaN."""
    return {name: value if math.isfinite(value) else None for name, value in epoch.items()}
