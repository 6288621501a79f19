"""How a result comes to the loop that waits for it."""

from __future__ import annotations

import asyncio
from typing import Any, Optional


def settle(future: asyncio.Future[Any], value: object, error: Optional[BaseException]) -> None:
    """Gives a future its result, unless it was cancelled meanwhile."""
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(value)
