"""The exceptions of modeldepot: one per kind of error, derived from a matching builtin exception if there is one."""

from __future__ import annotations

import errno as errnos
from collections.abc import Sequence
from typing import Any, Optional


class ModelDepotError(Exception):
    """Base class of all errors of modeldepot.

    Attributes
    ----------
    message : str
        What failed.
    causes : tuple of str
        The causes, the nearest first.
    hint : str or None
        What to do next.

    Examples
    --------
    >>> from modeldepot import ModelDepotError, ModelStorage
    >>> try:
    ...     ModelStorage().describe("plant_clasifier")
    ... except ModelDepotError as error:
    ...     error.hint
    'did you mean `plant_classifier`?'
    """

    message: str
    causes: tuple[str, ...]
    hint: Optional[str]

    def __init__(
        self,
        message: str,
        hint: Optional[str] = None,
        causes: Sequence[str] = (),
        errno: Optional[int] = None,
        filename: Optional[str] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.causes = tuple(causes)
        if isinstance(self, OSError):
            error: Any = self
            error.errno = errno
            error.filename = filename

    def __str__(self) -> str:
        lines = [self.message]
        lines += [f"caused by: {cause}" for cause in self.causes]
        if self.hint is not None:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[Any, ...]:
        errno, filename = getattr(self, "errno", None), getattr(self, "filename", None)
        return type(self), (self.message, self.hint, self.causes, errno, filename)


class InvalidError(ModelDepotError, ValueError):
    """Fix the input."""


class LocalFileNotFoundError(InvalidError, FileNotFoundError):
    """Fix the path: there is no such file on this machine."""

    def __init__(
        self,
        message: str,
        hint: Optional[str] = None,
        causes: Sequence[str] = (),
        errno: Optional[int] = None,
        filename: Optional[str] = None,
    ) -> None:
        super().__init__(message, hint, causes, errno or errnos.ENOENT, filename)


class NotFoundError(ModelDepotError, LookupError):
    """Check the name: there is no such model, version, bucket or object."""


class ConflictError(ModelDepotError):
    """Choose another version, or another folder: this one exists with other content."""


class DeniedError(ModelDepotError, PermissionError):
    """Fix the credentials or the policy."""


class UnavailableError(ModelDepotError, ConnectionError):
    """Try again: the server is unreachable or cannot respond."""


class CorruptError(ModelDepotError):
    """Do not use it; publish again: the data in the bucket is damaged."""


class UnverifiedError(ModelDepotError):
    """Use it at your own risk: no digest was published to verify it against."""


class IoError(ModelDepotError, OSError):
    """Fix the disk."""


class InternalError(ModelDepotError, RuntimeError):
    """Report it: an unexpected response of the server, or a bug in modeldepot."""


# Shown with the name of the public module.
for _class in (
    ModelDepotError,
    InvalidError,
    LocalFileNotFoundError,
    NotFoundError,
    ConflictError,
    DeniedError,
    UnavailableError,
    CorruptError,
    UnverifiedError,
    IoError,
    InternalError,
):
    _class.__module__ = "modeldepot"
del _class
