"""The progress bar of a transfer."""

from __future__ import annotations

from typing import Any

from ._errors import InvalidError


class Bar:
    """A tqdm bar that is called with the bytes done and the total."""

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
        # An attempt that starts over resets the bar.
        if bar.total != total or done < bar.n:
            bar.reset(total=total)
        bar.update(done - bar.n)

    def close(self) -> None:
        """Closes the bar, leaving it visible."""
        self._bar.close()
