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
        The model's name in the bucket.
    monitor : str, default "val_loss"
        The metric that decides, as it is logged.
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
        self._checkpoint = Checkpoint("best_model.ckpt", name, storage, metadata, version)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        # The look before the first epoch is no epoch. Of several processes the first one keeps and publishes.
        if trainer.sanity_checking:
            return
        if self._best.better(trainer.current_epoch + 1, trainer.callback_metrics):
            # Every process takes part in making a checkpoint; the first one writes it.
            trainer.save_checkpoint(self._checkpoint.path())

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        if trainer.is_global_zero and self._best.value is not None:
            self.published = self._checkpoint.publish(self._best)
        self._checkpoint.clear()
