"""Arguments of a wrong type."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modeldepot import AsyncModelStorage, InvalidError, ModelStorage

WRONG: list[tuple[str, Callable[[Any, Any], Any], str]] = [
    ("model_path", lambda s, c: s.upload_model(3, "m"), "expected str or os.PathLike, got int"),
    ("model_path", lambda s, c: s.upload_model(None, "m"), "expected str or os.PathLike, got NoneType"),
    ("model_path", lambda s, c: s.upload_model(b"x", "m"), "expected str or os.PathLike, got bytes"),
    ("model_name", lambda s, c: s.upload_model("x", 3), "expected str, got int"),
    ("version", lambda s, c: s.upload_model("x", "m", 1.5), "expected str or VersionSummary, got float"),
    (
        "additional_files",
        lambda s, c: s.upload_model("x", "m", "1", {}, "x"),
        "expected list of str or os.PathLike, got str",
    ),
    ("additional_files", lambda s, c: s.upload_model("x", "m", "1", {}, [3]), "got list with int"),
    ("history", lambda s, c: s.upload_model("x", "m", history=3), "expected str or os.PathLike, got int"),
    ("exclude", lambda s, c: s.upload_model("x", "m", exclude="*.tmp"), "expected list of str, got str"),
    ("main", lambda s, c: s.upload_model("x", "m", main=3), "expected str, got int"),
    ("resume", lambda s, c: s.upload_model("x", "m", resume=None), "expected bool, got NoneType"),
    ("file_name", lambda s, c: s.upload_model("x", "m", file_name=3), "expected str, got int"),
    ("local_dir", lambda s, c: s.download_model("m", local_dir=3), "expected str or os.PathLike, got int"),
    ("version", lambda s, c: s.delete_model_version("m", None), "expected str or VersionSummary, got NoneType"),
    ("expiration", lambda s, c: s.presigned_url("m", expiration="1h"), "expected int, got str"),
    ("name", lambda s, c: s.load(3), "expected str, got int"),
    ("name", lambda s, c: s.open(3), "expected str, got int"),
    ("name", lambda s, c: s.save({}, 3), "expected str, got int"),
    ("trusted", lambda s, c: s.load("m", trusted="sklearn"), "expected list of str, got str"),
    ("device", lambda s, c: s.load("m", device=0), "expected str, got int"),
    ("limit_rate", lambda s, c: type(s)(limit_rate=-3), "expected int above 0, got -3"),
    ("limit_rate", lambda s, c: type(s)(limit_rate="1M"), "expected int above 0, got str"),
    ("endpoint", lambda s, c: type(s)(endpoint=3), "expected str, got int"),
    ("prefix", lambda s, c: type(s)(prefix=3), "expected str, got int"),
    ("profile", lambda s, c: type(c)(profile=3), "expected str, got int"),
    ("bucket_name", lambda s, c: c.list_objects(3), "expected str, got int"),
    ("prefix", lambda s, c: c.list_objects("b", None), "expected str, got NoneType"),
    ("metadata", lambda s, c: c.upload_file("x", "b", metadata=3), "expected dict of str to str, got int"),
    ("metadata", lambda s, c: c.upload_file("x", "b", metadata={"a": 3}), "got dict of str to int"),
    ("object_name", lambda s, c: c.object_exists("b", 3), "expected str, got int"),
]


@pytest.mark.parametrize(("name", "call", "says"), WRONG)
def test_a_wrong_type_names_the_argument(
    storage: ModelStorage, name: str, call: Callable[[Any, Any], Any], says: str
) -> None:
    with pytest.raises(TypeError) as raised:
        call(storage, storage.client)
    assert str(raised.value).startswith(f"argument `{name}`: expected ") and str(raised.value).endswith(says)


def test_nor_does_the_other_take_it(storage: ModelStorage) -> None:
    async def push() -> None:
        depot: Any = AsyncModelStorage()
        with pytest.raises(TypeError, match="argument `model_path`: expected str or os.PathLike, got int"):
            await depot.upload_model(3, "m")

    asyncio.run(push())
    with pytest.raises(TypeError, match="argument `bucket`"):
        AsyncModelStorage(bucket=3)  # type: ignore[arg-type]


SWAPPED: list[tuple[Callable[[Any], Any], str]] = [
    (lambda s: s.upload_model("leaf", "best_model.pth"), '`upload_model("best_model.pth", "leaf")`'),
    (lambda s: s.upload_model("best_model.pth", "leaf@1.5"), '`version="1.5"`'),
    (lambda s: s.download_model("leaf", "./folder"), '`local_dir="./folder"`'),
    (lambda s: type(s)(limit_rate=20), "`limit_rate=20_000_000`"),
    (lambda s: type(s)(access_key="a"), "`secret_key`"),
    (lambda s: type(s)(endpoint=f"{s.endpoint}/{s.bucket}"), '`bucket="models-'),
]


@pytest.mark.parametrize(("call", "says"), SWAPPED)
def test_arguments_in_the_wrong_place_are_refused(storage: ModelStorage, call: Callable[[Any], Any], says: str) -> None:
    with pytest.raises(InvalidError) as raised:
        call(storage)
    assert says in str(raised.value.hint)
    assert storage.models() == []


def test_a_new_version_has_no_v(storage: ModelStorage, model: Path) -> None:
    assert [str(storage.upload_model(model, "m", version)) for version in ("v1", "V2")] == ["m@1", "m@2"]
    with pytest.raises(InvalidError, match="`v` is not a version name"):
        storage.upload_model(model, "m", "v")
