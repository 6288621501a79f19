"""What type checkers must accept and must refuse. It is checked, never run."""

from __future__ import annotations

import datetime
import io
from pathlib import Path
from typing import Any, Optional

from modeldepot import AsyncModelStorage, ModelStorage, Published, S3Client, VersionSummary


def accepted(storage: ModelStorage, s3: S3Client) -> None:
    published: Published = storage.upload_model(Path("m.pth"), "m", None, {"a": 1}, ["history.json", Path("log")])
    path: str = storage.download_model("m", version="1", local_dir=Path("x"), progress=True)
    versions: list[VersionSummary] = storage.list_model_versions("m")
    when: Optional[datetime.datetime] = versions[0].published
    storage.delete_model_version("m", versions[0])
    file: io.BufferedReader = storage.open("m@1", "m.pth")
    state: Any = storage.load("m", allow_pickle=True)
    storage.save(state, "m", progress=lambda done, total: None)
    keys: list[str] = [found.key for found in s3.list_objects("b")]
    print(published.version, path, when, file, keys)


async def awaited(storage: AsyncModelStorage) -> str:
    return await storage.download_model("m")


def refused(storage: ModelStorage) -> None:
    storage.upload_model("m.pth")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    storage.upload_model(3, "m")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    storage.download_model("m", progres=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    ModelStorage("http://localhost:9000")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    ModelStorage(addressing="sideways")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    storage.save({}, "m", format="yaml")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
