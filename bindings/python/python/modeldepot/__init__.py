"""Publishes, verifies and fetches trained models on any S3 bucket.

A published version never changes, and every download is verified against the published digests. There is no database:
every fact is an object in the bucket.

`ModelStorage` works with models, `AsyncModelStorage` does the same for asyncio, and `S3Client` works with buckets and
objects. Settings come from the environment, then from the first ``.env`` found from the current folder upwards, as for
the ``modeldepot`` command. All errors are `ModelDepotError`, with a ``hint`` about what to do.
"""

from ._async import AsyncModelStorage
from ._errors import (
    ConflictError,
    CorruptError,
    DeniedError,
    InternalError,
    InvalidError,
    IoError,
    LocalFileNotFoundError,
    ModelDepotError,
    NotFoundError,
    UnavailableError,
    UnverifiedError,
)
from ._modeldepot import (
    Deleted,
    Description,
    ListedObject,
    ModelStorage,
    ModelSummary,
    ObjectMetadata,
    Published,
    S3Client,
    StoredFile,
    Verified,
    VersionSummary,
    __version__,
)

__all__ = [
    "AsyncModelStorage",
    "ConflictError",
    "CorruptError",
    "Deleted",
    "DeniedError",
    "Description",
    "InternalError",
    "InvalidError",
    "IoError",
    "ListedObject",
    "LocalFileNotFoundError",
    "ModelDepotError",
    "ModelStorage",
    "ModelSummary",
    "NotFoundError",
    "ObjectMetadata",
    "Published",
    "S3Client",
    "StoredFile",
    "UnavailableError",
    "UnverifiedError",
    "Verified",
    "VersionSummary",
    "__version__",
]
