"""A file of a version as a Python file object."""

from __future__ import annotations

import io
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._modeldepot import FileReader

# The number of parts kept in memory: readers alternate between a file's table of contents and its data.
KEPT = 4


class VersionFile(io.RawIOBase):
    """The bytes of one file of a version, fetched part by part as they are read."""

    def __init__(self, reader: FileReader) -> None:
        self._reader = reader
        self._parts: OrderedDict[int, bytes] = OrderedDict()
        self._at = 0
        self.name = f"modeldepot://{reader.model}@{reader.version}/{reader.path}"
        self.mode = "rb"

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        self._check()
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._check()
        bases = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._reader.size}
        if whence not in bases:
            raise ValueError(f"`whence` is {whence}, not 0, 1 or 2")
        at = bases[whence] + offset
        if at < 0:
            raise ValueError(f"cannot seek to {at}, before the beginning")
        self._at = at
        return at

    def readinto(self, buffer: Any) -> int:
        self._check()
        into = memoryview(buffer).cast("B")
        index, start = divmod(self._at, self._reader.part_size)
        count = min(len(into), max(self._reader.size - self._at, 0))
        if count == 0:
            return 0
        part = self._part(index)[start : start + count]
        into[: len(part)] = part
        self._at += len(part)
        return len(part)

    def _part(self, index: int) -> bytes:
        part = self._parts.pop(index, None)
        if part is None:
            part = self._reader.part(index)
            while len(self._parts) >= KEPT:
                self._parts.popitem(last=False)
        self._parts[index] = part
        return part

    def _check(self) -> None:
        if self.closed:
            raise ValueError("the file is closed")

    def close(self) -> None:
        self._parts.clear()
        super().close()


def opened(reader: FileReader) -> io.BufferedReader:
    """Returns the file with a buffer."""
    return io.BufferedReader(VersionFile(reader), buffer_size=128 * 1024)
