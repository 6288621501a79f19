"""Waiting for an event, as long as it takes on a busy machine."""

from __future__ import annotations

import time
from collections.abc import Callable

from modeldepot import ModelStorage

PATIENCE = 60


def wait_until(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < until, "it does not happen"
        time.sleep(0.01)


def wait_for_a_push(storage: ModelStorage) -> None:
    """Waits until a push is under way: it holds its lease from before the first byte to the last."""
    wait_until(lambda: bool(storage.client.list_objects(storage.bucket, ".depot/leases/")))
