"""Sets the results of asyncio futures."""

from __future__ import annotations

import asyncio
from typing import Any, Optional


def settle(future: asyncio.Future[Any], value: object, error: Optional[BaseException]) -> None:
    """Sets a future's result, unless it was canceled meanwhile."""
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(value)
