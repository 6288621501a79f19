"""Publishes, verifies and fetches trained models on any S3 bucket.

A model is published once, as a version that never changes, and fetched anywhere with the proof that every byte is the
one that was published. There is no database: every fact is an object in the bucket.

`ModelStorage` has the verbs on models, `AsyncModelStorage` the same for asyncio, `S3Client` those on buckets and
objects. Settings come from the environment, then from the first ``.env`` found from the current folder upwards, as for
the ``modeldepot`` command. Whatever goes wrong is a `ModelDepotError`, with a ``hint`` at what to do.
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
