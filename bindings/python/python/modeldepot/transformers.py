"""Publishes the best checkpoint of a Hugging Face training."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Optional

from transformers import TrainerCallback

from ._errors import InvalidError
from ._modeldepot import ModelStorage, Published


class PublishBest(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Publishes the best checkpoint of a ``Trainer`` when training ends, with ``trainer_state.json`` as its history.

    The trainer decides which one is best: set ``metric_for_best_model`` and ``load_best_model_at_end=True``.
    Otherwise the last checkpoint is published.

    Parameters
    ----------
    name : str
        The model's name.
    storage : ModelStorage, optional
        The storage; by default configured by the environment.
    metadata : dict, optional
        Metadata of the version, in addition to its metrics.
    version : str, optional
        The version; by default the current UTC second.
    exclude : list of str, optional
        Patterns of checkpoint files to exclude; by default those that only resuming a training needs.

    Attributes
    ----------
    published : Published or None
        The published version, once training has ended.
    """

    RESUME_ONLY = ("optimizer.pt", "scheduler.pt", "scaler.pt", "rng_state*.pth", "training_args.bin")

    def __init__(
        self,
        name: str,
        *,
        storage: Optional[ModelStorage] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        version: Optional[str] = None,
        exclude: Optional[list[str]] = None,
    ) -> None:
        self.name = name
        self.published: Optional[Published] = None
        self._storage, self._metadata, self._version = storage, dict(metadata or {}), version
        self._exclude = list(self.RESUME_ONLY) if exclude is None else exclude

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not state.is_world_process_zero:
            return
        checkpoint = state.best_model_checkpoint or os.path.join(args.output_dir, f"checkpoint-{state.global_step}")
        if not os.path.isdir(checkpoint):
            raise InvalidError(f"there is no checkpoint `{checkpoint}`", 'let the trainer save: save_strategy="epoch"')
        # The state in the best checkpoint ends at that checkpoint; the history is that of the whole training.
        history = os.path.join(args.output_dir, "trainer_state.json")
        state.save_to_json(history)
        self.published = (self._storage or ModelStorage()).upload_model(
            checkpoint,
            self.name,
            version=self._version,
            metadata=self._metadata,
            history=history,
            exclude=[*self._exclude, "trainer_state.json"],
        )
