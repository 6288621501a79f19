"""The asyncio version of ``ModelStorage``."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any, Callable, Literal, Optional, TypeVar, Union

from ._errors import InvalidError
from ._modeldepot import (
    Deleted,
    Description,
    ModelStorage,
    ModelSummary,
    Published,
    S3Client,
    Verified,
    VersionSummary,
)

# Everything else is imported when it is needed, so that `import modeldepot` and the command start quickly.
if TYPE_CHECKING:
    import asyncio
    import io
    from types import TracebackType

T = TypeVar("T")
Path = Union[str, "os.PathLike[str]"]
_Version = Union[str, VersionSummary]
_Progress = Union[bool, Callable[[int, int], object]]


class AsyncModelStorage:
    """The models of one bucket, for asyncio: the methods of ``ModelStorage`` as coroutines.

    Work starts when a coroutine is awaited or made a task. Canceling a task cancels its
    transfer, like Ctrl-C. Leaving ``async with`` cancels all running transfers.

    Other settings come from the environment, then from the first ``.env`` found from the current folder
    upwards, as for the ``modeldepot`` command: ``S3_ENDPOINT``, ``S3_ACCESS_KEY``, ``S3_SECRET_KEY``, ``S3_REGION``,
    ``S3_BUCKET_MODELS``, ``S3_PREFIX``. Nothing is sent before the first call. Safe to share between event loops and
    threads, and to use after a fork.

    Parameters
    ----------
    endpoint : str, optional
        The endpoint URL; empty for AWS.
    access_key, secret_key : str, optional
        The credentials. Default: the AWS variables, then ``minioadmin`` on this machine, then the AWS chain.
    region : str, optional
        The region for request signing.
    bucket : str, optional
        The bucket of the models.
    prefix : str, optional
        The folder of the models in the bucket, such as ``team/ml``; empty for the whole bucket.
    addressing : {"auto", "path", "virtual"}, optional
        The addressing style of buckets.
    ca_bundle : str or os.PathLike, optional
        A PEM file with additional trusted certificate authorities.
    profile : str, optional
        The AWS profile to use. Its endpoint and region apply unless an argument, variable or ``.env`` sets
        them.
    limit_rate : int, optional
        Bandwidth limit in bytes per second for all transfers of this storage together, in both directions.

    Raises
    ------
    InvalidError
        If a setting is invalid.

    Examples
    --------
    >>> import asyncio
    >>> async def both():
    ...     async with AsyncModelStorage() as storage:
    ...         names = ("plant_classifier", "plant_classifier")
    ...         return await asyncio.gather(storage.verify(names[0]), storage.get_latest_version(names[1]))
    >>> asyncio.run(both())
    [Verified(plant_classifier@1.0.0, 1 file, 4.1 kB), '1.0.0']
    """

    __module__ = "modeldepot"

    def __init__(
        self,
        *,
        endpoint: Optional[str] = None,
        access_key: Optional[str] = None,
        secret_key: Optional[str] = None,
        region: Optional[str] = None,
        bucket: Optional[str] = None,
        prefix: Optional[str] = None,
        addressing: Optional[Literal["auto", "path", "virtual"]] = None,
        ca_bundle: Optional[Path] = None,
        profile: Optional[str] = None,
        limit_rate: Optional[int] = None,
    ) -> None:
        self._over(
            ModelStorage(
                endpoint=endpoint,
                access_key=access_key,
                secret_key=secret_key,
                region=region,
                bucket=bucket,
                prefix=prefix,
                addressing=addressing,
                ca_bundle=ca_bundle,
                profile=profile,
                limit_rate=limit_rate,
            )
        )

    def _over(self, storage: ModelStorage) -> None:
        self._storage = storage
        self._verbs = storage._verbs()  # pyright: ignore[reportPrivateUsage]
        self._running: set[asyncio.Future[Any]] = set()
        self._closed = False

    @property
    def endpoint(self) -> str:
        """The URL of the endpoint."""
        return self._storage.endpoint

    @property
    def bucket(self) -> str:
        """The bucket of the models."""
        return self._storage.bucket

    @property
    def prefix(self) -> str:
        """The folder of the models in the bucket, ending with ``/``; empty for the whole bucket."""
        return self._storage.prefix

    @property
    def client(self) -> S3Client:
        """An ``S3Client`` that shares the connections. Its methods are synchronous: call them in a thread."""
        return self._storage.client

    async def upload_model(
        self,
        model_path: Path,
        model_name: str,
        version: Optional[_Version] = None,
        metadata: Optional[dict[str, Any]] = None,
        additional_files: Optional[Sequence[Path]] = None,
        *,
        history: Optional[Path] = None,
        main: Optional[str] = None,
        exclude: Optional[Sequence[str]] = None,
        include_hidden: bool = False,
        follow_links: bool = False,
        file_name: Optional[str] = None,
        progress: Optional[_Progress] = None,
        resume: bool = True,
        md5: bool = True,
        copy: bool = True,
    ) -> Published:
        return await self._run(
            lambda: self._verbs.upload_model(
                model_path,
                model_name,
                version,
                metadata,
                additional_files,
                history=history,
                main=main,
                exclude=exclude,
                include_hidden=include_hidden,
                follow_links=follow_links,
                file_name=file_name,
                progress=progress,
                resume=resume,
                md5=md5,
                copy=copy,
            )
        )

    async def download_model(
        self,
        model_name: str,
        version: Optional[_Version] = None,
        local_dir: Optional[Path] = None,
        *,
        progress: Optional[_Progress] = None,
        resume: bool = True,
        sync: bool = True,
        force: bool = False,
        require_digests: bool = False,
    ) -> str:
        return await self._run(
            lambda: self._verbs.download_model(
                model_name,
                version,
                local_dir,
                progress=progress,
                resume=resume,
                sync=sync,
                force=force,
                require_digests=require_digests,
            )
        )

    async def list_model_versions(self, model_name: str) -> list[VersionSummary]:
        return await self._run(lambda: self._verbs.list_model_versions(model_name))

    async def get_latest_version(self, model_name: str) -> str:
        return await self._run(lambda: self._verbs.get_latest_version(model_name))

    async def delete_model_version(self, model_name: str, version: _Version) -> Deleted:
        return await self._run(lambda: self._verbs.delete_model_version(model_name, version))

    async def verify(
        self, model_name: str, version: Optional[_Version] = None, *, progress: Optional[_Progress] = None
    ) -> Verified:
        return await self._run(lambda: self._verbs.verify(model_name, version, progress=progress))

    async def describe(self, model_name: str, version: Optional[_Version] = None) -> Description:
        return await self._run(lambda: self._verbs.describe(model_name, version))

    async def models(self) -> list[ModelSummary]:
        return await self._run(lambda: self._verbs.models())

    async def presigned_url(
        self, model_name: str, version: Optional[_Version] = None, file: Optional[str] = None, expiration: int = 3600
    ) -> str:
        return await self._run(lambda: self._verbs.presigned_url(model_name, version, file, expiration))

    async def open(self, name: str, file: Optional[str] = None) -> io.BufferedReader:
        return await self._run(lambda: self._thread(lambda: self._storage.open(name, file)))

    async def save(
        self,
        obj: object,
        name: str,
        version: Optional[_Version] = None,
        metadata: Optional[dict[str, Any]] = None,
        additional_files: Optional[Sequence[Path]] = None,
        *,
        format: Optional[Literal["safetensors", "torch", "skops", "joblib", "onnx"]] = None,
        file_name: Optional[str] = None,
        history: Optional[Path] = None,
        progress: Optional[_Progress] = None,
        trusted: Optional[Sequence[str]] = None,
    ) -> Published:
        import functools

        from . import _objects

        chosen, name, version = _objects.choose(obj, name, format, version)
        with _objects.memory_file() as (file, path):
            write = functools.partial(_objects.write, obj, chosen, file, trusted)
            await self._run(lambda: self._thread(write))
            # An object in memory is not on disk, so another process cannot resume its push.
            return await self.upload_model(
                path,
                name,
                version,
                metadata,
                additional_files,
                history=history,
                file_name=_objects.file_name_of(chosen, file_name),
                progress=progress,
                resume=False,
            )

    async def load(
        self,
        name: str,
        file: Optional[str] = None,
        *,
        allow_pickle: bool = False,
        framework: Optional[Literal["torch", "numpy"]] = None,
        device: str = "cpu",
        trusted: Optional[Sequence[str]] = None,
        progress: Optional[_Progress] = None,
    ) -> Any:
        import functools

        watch = _Watch(progress)
        load = functools.partial(
            self._storage.load,
            name,
            file,
            allow_pickle=allow_pickle,
            framework=framework,
            device=device,
            trusted=trusted,
            progress=watch,
        )
        try:
            return await self._run(lambda: self._thread(load))
        finally:
            # If canceled, the thread drops its transfer at the next progress report.
            watch.close()

    async def aclose(self) -> None:
        """Cancel running operations and wait for them to end. No new ones can be started.

        Returns
        -------
        None

        Raises
        ------
        asyncio.CancelledError
            If the waiting task itself is canceled.
        """
        import asyncio

        self._closed = True
        running = list(self._running)
        for future in running:
            future.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def __aenter__(self) -> AsyncModelStorage:
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.aclose()

    async def _run(self, begin: Callable[[], Awaitable[T]]) -> T:
        if self._closed:
            raise InvalidError("this storage is closed", "make a new `AsyncModelStorage`")
        import asyncio

        future = asyncio.ensure_future(begin())
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return await future

    async def _thread(self, work: Callable[[], T]) -> T:
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(None, work)

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self._storage)

    def __copy__(self) -> AsyncModelStorage:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> AsyncModelStorage:
        return self

    def __repr__(self) -> str:
        return f"Async{self._storage!r}"


def _again(kind: type[AsyncModelStorage], storage: ModelStorage) -> AsyncModelStorage:
    """Restores a storage from its pickle."""
    made = kind.__new__(kind)
    made._over(storage)  # pyright: ignore[reportPrivateUsage]
    return made


class _Watch:
    """Passes the progress of a thread to a loop, and tells the thread when nobody is waiting anymore."""

    def __init__(self, progress: Optional[_Progress]) -> None:
        import asyncio
        import threading

        from ._progress import Bar

        self._loop = asyncio.get_running_loop()
        self._ended = threading.Event()
        self._bar = Bar("reading") if progress is True else None
        if progress is not None and not isinstance(progress, bool) and not callable(progress):
            raise TypeError(f"`progress` is True, False or a function, not `{type(progress).__name__}`")
        self._call = None if progress is None or isinstance(progress, bool) else progress

    def __call__(self, done: int, total: int) -> None:
        if self._ended.is_set():
            import asyncio

            raise asyncio.CancelledError
        if self._bar is not None:
            self._bar(done, total)
        if self._call is not None:
            self._loop.call_soon_threadsafe(self._call, done, total)

    def close(self) -> None:
        self._ended.set()
        if self._bar is not None:
            self._bar.close()


def _document() -> None:
    """Copies the docstrings of the synchronous methods."""
    for name in dir(ModelStorage):
        verb = getattr(AsyncModelStorage, name, None)
        if not name.startswith("_") and callable(verb):
            verb.__doc__ = getattr(ModelStorage, name).__doc__


_document()
