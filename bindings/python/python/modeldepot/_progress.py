"""The bar of a transfer."""

from __future__ import annotations

from typing import Any

from ._errors import InvalidError


class Bar:
    """A bar of tqdm, called with the bytes done and their total."""

    def __init__(self, verb: str) -> None:
        try:
            from tqdm.auto import tqdm
        except ImportError:
            raise InvalidError(
                "`progress=True` needs `tqdm`, which is not installed",
                "`pip install tqdm`, or give a function of the bytes done and their total",
            ) from None
        self._bar: Any = tqdm(desc=verb, unit="B", unit_scale=True)

    def __call__(self, done: int, total: int) -> None:
        bar = self._bar
        # An attempt that begins anew counts anew.
        if bar.total != total or done < bar.n:
            bar.reset(total=total)
        bar.update(done - bar.n)

    def close(self) -> None:
        """Leaves the bar as it is."""
        self._bar.close()
