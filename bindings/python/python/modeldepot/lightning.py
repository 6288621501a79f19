"""Publishes the best checkpoint of a Lightning training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

try:
    from lightning.pytorch.callbacks import Callback
except ImportError:
    from pytorch_lightning.callbacks import Callback

from ._best import Best, Checkpoint
from ._modeldepot import ModelStorage, Published


class PublishBest(Callback):  # type: ignore[misc, unused-ignore]
    """Keeps the checkpoint of the best validation epoch and publishes it with its history when training ends.

    Parameters
    ----------
    name : str
        The model's name.
    monitor : str, default "val_loss"
        The metric that decides, as it is logged.
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
        self._checkpoint = Checkpoint("best_model.ckpt", name, storage, metadata, version)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        # Skips the sanity check before the first epoch. Among several processes, the first one stores and publishes.
        if trainer.sanity_checking:
            return
        if self._best.better(trainer.current_epoch + 1, trainer.callback_metrics):
            # All processes take part in creating a checkpoint; the first one writes it.
            trainer.save_checkpoint(self._checkpoint.path())

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        if trainer.is_global_zero and self._best.value is not None:
            self.published = self._checkpoint.publish(self._best)
        self._checkpoint.clear()
