"""`modeldepot://model@version/path` for fsspec: published versions as a read-only file system."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any, Optional

from fsspec.spec import AbstractFileSystem

from ._errors import NotFoundError
from ._modeldepot import ModelStorage

# An access key is useless without its secret, and a storage holds both.
SECRET = {"access_key", "secret_key", "storage"}


class ModelDepotFileSystem(AbstractFileSystem):  # type: ignore[misc, unused-ignore]
    """The models of one bucket: folders ``model@version`` with their files. ``model`` alone is its latest version.

    Parameters
    ----------
    **settings
        As for `ModelStorage`; other settings come from the environment and ``.env``.

    Notes
    -----
    ``to_json()``, ``to_dict()`` and pickles contain the endpoint and the bucket, but no keys: another process uses the
    keys of its own environment, ``.env`` or AWS login.

    Examples
    --------
    >>> import fsspec
    >>> with fsspec.open("modeldepot://plant_classifier@1.0.0/best_model.pth") as file:
    ...     len(file.read())
    4096
    >>> fsspec.filesystem("modeldepot").ls("plant_classifier@1.0.0", detail=False)
    ['plant_classifier@1.0.0/best_model.pth']
    """

    protocol = "modeldepot"
    # Each instance uses the current environment, not that of the first one.
    cachable = False

    def __init__(self, storage: Optional[ModelStorage] = None, **settings: Any) -> None:
        known = {"endpoint", "access_key", "secret_key", "region", "bucket", "prefix", "addressing", "ca_bundle"}
        known |= {"profile", "limit_rate"}
        super().__init__(**settings)
        self.storage = storage or ModelStorage(**{name: value for name, value in settings.items() if name in known})

    @property
    def storage_args(self) -> tuple[Any, ...]:
        """Returns no arguments: everything that may be stored is a keyword argument."""
        return ()

    @storage_args.setter
    def storage_args(self, args: tuple[Any, ...]) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Ignores the call's arguments, which may be a storage with its keys."""

    @property
    def storage_options(self) -> dict[str, Any]:
        """Returns the settings to recreate this from, without keys: they end up in JSON, pickles and task graphs."""
        return self._options

    @storage_options.setter
    def storage_options(self, options: dict[str, Any]) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        kept = {name: value for name, value in options.items() if name not in SECRET}
        storage = getattr(self, "storage", None)
        if storage is not None:
            kept = {"endpoint": storage.endpoint, "bucket": storage.bucket, "prefix": storage.prefix, **kept}
        self._options = kept

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        text = str(path)
        if text.startswith("modeldepot://"):
            text = text[len("modeldepot://") :]
        return text.strip("/")

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        """Lists the models, or the contents of a folder in a version."""
        path = self._strip_protocol(path)
        if not path:
            found = [
                {"name": f"{model.name}@{model.latest}", "size": model.size, "type": "directory"}
                for model in self.storage.models()
            ]
        else:
            found = self._inside(path)
        return found if detail else [entry["name"] for entry in found]

    def _inside(self, path: str) -> list[dict[str, Any]]:
        name, _, inside = path.partition("/")
        entries: dict[str, dict[str, Any]] = {}
        for file in self._describe(name).files:
            if file.path == inside:
                return [_file(path, file)]
            below = inside + "/" if inside else ""
            if not file.path.startswith(below):
                continue
            first, deeper, _ = file.path[len(below) :].partition("/")
            where = f"{name}/{below}{first}"
            entries[where] = {"name": where, "size": 0, "type": "directory"} if deeper else _file(where, file)
        if not entries:
            raise FileNotFoundError(f"modeldepot://{path}")
        return list(entries.values())

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """Returns the entry for a path."""
        path = self._strip_protocol(path)
        if not path:
            return {"name": "", "size": 0, "type": "directory"}
        found = self._inside(path)
        if found[0]["name"] == path:
            return found[0]
        return {"name": path, "size": 0, "type": "directory"}

    def created(self, path: str) -> Any:
        """Returns when the path's version was published."""
        return self._describe(self._strip_protocol(path).partition("/")[0]).created_at

    def _describe(self, name: str) -> Any:
        with _as_of_files():
            return self.storage.describe(name)

    def _open(  # buffers are the reader's own
        self,
        path: str,
        mode: str = "rb",
        block_size: Any = None,
        autocommit: bool = True,
        cache_options: Any = None,
        **kwargs: Any,
    ) -> Any:
        if mode != "rb":
            raise ValueError(f"`{mode}`: published versions can only be read")
        name, _, inside = self._strip_protocol(path).partition("/")
        with _as_of_files():
            return self.storage.open(name, inside or None)


@contextlib.contextmanager
def _as_of_files() -> Generator[None, None, None]:
    """Raises the exceptions that users of a file system expect."""
    try:
        yield
    except NotFoundError as error:
        raise FileNotFoundError(str(error)) from error


def _file(name: str, file: Any) -> dict[str, Any]:
    return {"name": name, "size": file.size, "type": "file", "md5": file.md5, "blake3": file.blake3}
