"""The same verbs for asyncio."""

import asyncio
import inspect
from pathlib import Path

import pytest

from modeldepot import AsyncModelStorage, InvalidError, ModelStorage, NotFoundError


def test_it_has_the_verbs_of_the_other() -> None:
    def names(kind: type) -> set[str]:
        return {name for name in dir(kind) if not name.startswith("_")}

    assert names(ModelStorage) - names(AsyncModelStorage) == {"client", "load", "open", "save"}
    for name in names(AsyncModelStorage) - {"endpoint", "bucket"}:
        assert inspect.signature(getattr(ModelStorage, name)) == inspect.signature(getattr(AsyncModelStorage, name))


def test_the_round(storage: ModelStorage, model: Path) -> None:
    async def round_trip() -> None:
        depot = AsyncModelStorage()
        pushes = (depot.upload_model(model, "m", f"{n}", {"n": n}) for n in range(5))
        published = await asyncio.gather(*pushes)
        assert [str(each) for each in published] == [f"m@{n}" for n in range(5)]
        assert await depot.list_model_versions("m") == ["0", "1", "2", "3", "4"]
        assert await depot.get_latest_version("m") == "4"
        assert (await depot.describe("m", "2")).metadata == {"n": 2}
        assert (await depot.verify("m")).files == 1
        assert (await depot.models())[0].versions == 5
        assert "X-Amz-Signature" in await depot.presigned_url("m")
        path = await depot.download_model("m", local_dir="back")
        assert path == "back/best_model.pth" and Path(path).read_bytes() == model.read_bytes()
        assert (await depot.delete_model_version("m", "0")).files == 1
        with pytest.raises(NotFoundError, match="version `0` of `m` does not exist"):
            await depot.describe("m", "0")
        with pytest.raises(InvalidError):
            await depot.upload_model(model, "m", "9", {"x": object()})

    asyncio.run(round_trip())


def test_the_loop_runs_meanwhile_and_progress_comes_in_it(storage: ModelStorage, large: Path) -> None:
    async def push() -> None:
        depot = AsyncModelStorage(limit_rate=20_000_000)
        seen: list[int] = []
        loops = set()

        def see(done: int, total: int) -> None:
            loops.add(asyncio.get_running_loop())
            seen.append(done)

        ticks = 0
        pushing = depot.upload_model(large, "m", "1", progress=see)
        while not pushing.done():
            ticks += 1
            await asyncio.sleep(0.01)
        await pushing
        await asyncio.sleep(0.05)
        assert ticks > 20
        assert seen == sorted(seen) and seen[-1] == large.stat().st_size
        assert loops == {asyncio.get_running_loop()}

    asyncio.run(push())


def test_a_cancelled_push_leaves_no_version(storage: ModelStorage, large: Path) -> None:
    async def cancel() -> None:
        depot = AsyncModelStorage(limit_rate=4_000_000)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(depot.upload_model(large, "m", "1"), 0.7)
        await asyncio.sleep(0.2)
        assert await AsyncModelStorage().models() == []

    asyncio.run(cancel())
    storage.upload_model(large, "m", "1")


def test_it_needs_a_loop(storage: ModelStorage) -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        AsyncModelStorage().models()
