"""The same verbs for asyncio."""

import asyncio
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modeldepot import AsyncModelStorage, InvalidError, ModelStorage, NotFoundError


def parameters(verb: Any) -> list[tuple[str, Any, Any]]:
    """Returns names, kinds and defaults, without types, which only Python functions have."""
    parameters = inspect.signature(verb).parameters.values()
    return [(p.name, p.kind, p.default) for p in parameters if p.name != "self" and not p.name.startswith("_")]


def test_it_has_the_verbs_of_the_other() -> None:
    def names(kind: type) -> set[str]:
        return {name for name in dir(kind) if not name.startswith("_")}

    assert names(ModelStorage) == names(AsyncModelStorage) - {"aclose"}
    attributes = {"endpoint", "bucket", "prefix", "client"}
    for name in names(ModelStorage) - attributes:
        sync, other = getattr(ModelStorage, name), getattr(AsyncModelStorage, name)
        assert parameters(sync) == parameters(other), name
        assert inspect.iscoroutinefunction(other), name
        assert other.__doc__ == sync.__doc__ and other.__doc__, name
    # Python 3.9 cannot read the signature of a built-in class; the stubs are checked on every version.
    if sys.version_info >= (3, 10):
        assert parameters(ModelStorage) == parameters(AsyncModelStorage)


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
        with pytest.raises(NotFoundError, match="version `0` of `m` was deleted"):
            await depot.describe("m", "0")
        with pytest.raises(InvalidError):
            await depot.upload_model(model, "m", "9", {"x": object()})

    asyncio.run(round_trip())


class Began:
    """Waits until a transfer moves, again and again."""

    def __init__(self) -> None:
        self.moved = asyncio.Event()

    def see(self, done: int, total: int) -> None:
        self.moved.set()

    async def __call__(self, task: asyncio.Task[Any]) -> None:
        self.moved.clear()
        await asyncio.wait_for(self.moved.wait(), 60)
        assert not task.done()


def test_the_loop_runs_meanwhile_and_progress_comes_in_it(storage: ModelStorage, large: Path) -> None:
    async def push() -> None:
        depot = AsyncModelStorage(limit_rate=20_000_000)
        seen: list[int] = []
        loops = set()

        def see(done: int, total: int) -> None:
            loops.add(asyncio.get_running_loop())
            seen.append(done)

        ticks = 0
        pushing = asyncio.create_task(depot.upload_model(large, "m", "1", progress=see))
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
        assert await AsyncModelStorage().models() == []

    asyncio.run(cancel())
    storage.upload_model(large, "m", "1")


def test_every_way_to_run_a_coroutine(storage: ModelStorage, model: Path) -> None:
    depot = AsyncModelStorage()
    # Without a wrapping coroutine.
    assert str(asyncio.run(depot.upload_model(model, "m", "1"))) == "m@1"

    async def ways() -> None:
        task = asyncio.create_task(depot.get_latest_version("m"), name="latest")
        assert await task == "1"
        assert await asyncio.wait_for(depot.get_latest_version("m"), 60) == "1"
        assert await asyncio.shield(depot.get_latest_version("m")) == "1"
        models, found = await asyncio.gather(depot.models(), depot.describe("m"))
        assert (models, found) == (await depot.models(), await depot.describe("m"))
        done, _ = await asyncio.wait([asyncio.ensure_future(depot.get_latest_version("m"))])
        assert [each.result() for each in done] == ["1"]
        if sys.version_info >= (3, 11):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(depot.verify("m")) for _ in range(3)]
            assert all(task.result().intact for task in tasks)
            with pytest.raises(ExceptionGroup) as raised:  # noqa: F821
                async with asyncio.TaskGroup() as group:
                    group.create_task(depot.describe("no-such-model"))
            assert isinstance(raised.value.exceptions[0], NotFoundError)

    # In several loops, one after the other.
    asyncio.run(ways())
    asyncio.run(ways())


def test_nothing_is_done_before_it_is_awaited(storage: ModelStorage, model: Path) -> None:
    async def never() -> None:
        depot = AsyncModelStorage()
        depot.upload_model(model, "m", "1").close()
        # Nothing tells that nothing will happen.
        await asyncio.sleep(0.2)
        assert await depot.models() == []

    asyncio.run(never())


def test_a_task_that_is_cancelled_stops_its_transfer(storage: ModelStorage, large: Path) -> None:
    pytest.importorskip("joblib")
    storage.upload_model(large, "m", "1")
    storage.upload_model(large, "pickled", "1", file_name="large.joblib")

    async def cancel() -> None:
        depot = AsyncModelStorage(limit_rate=4_000_000)
        began = Began()
        coroutines: list[Any] = [
            depot.download_model("m", local_dir="back", progress=began.see),
            depot.verify("m", progress=began.see),
            depot.load("pickled", allow_pickle=True, progress=began.see),
        ]
        for coroutine in coroutines:
            task = asyncio.create_task(coroutine)
            await began(task)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert not Path("back/large.bin").exists()
        assert await AsyncModelStorage().get_latest_version("m") == "1"

    asyncio.run(cancel())


def test_objects_from_memory(storage: ModelStorage) -> None:
    numpy = pytest.importorskip("numpy")
    pytest.importorskip("safetensors")

    async def both() -> None:
        async with AsyncModelStorage() as depot:
            seen: list[tuple[int, int]] = []
            published = await depot.save({"w": numpy.ones((2, 3), "float32")}, "m@1", metadata={"a": 1})
            assert str(published) == "m@1"
            back = await depot.load("m", framework="numpy", progress=lambda done, total: seen.append((done, total)))
            assert back["w"].shape == (2, 3)
            await asyncio.sleep(0)
            assert seen and seen[-1][0] == seen[-1][1]
            with await depot.open("m@1") as file:
                assert file.read(2)
            with pytest.raises(InvalidError, match="`yaml` is not a format"):
                await depot.save({}, "m", format="yaml")  # type: ignore[arg-type]

    asyncio.run(both())


def test_a_block_ends_what_still_runs(storage: ModelStorage, large: Path) -> None:
    async def block() -> None:
        async with AsyncModelStorage(limit_rate=4_000_000) as depot:
            began = Began()
            pushing = asyncio.create_task(depot.upload_model(large, "m", "1", progress=began.see))
            await began(pushing)
        with pytest.raises(asyncio.CancelledError):
            await pushing
        with pytest.raises(InvalidError, match="this storage is closed"):
            await depot.models()
        assert await AsyncModelStorage().models() == []

    asyncio.run(block())


SHORT = """
import asyncio, sys, threading
from modeldepot import AsyncModelStorage

async def both():
    async with AsyncModelStorage() as storage:
        await asyncio.gather(storage.models(), storage.models())

asyncio.run(both())
"""

BUSY = """
moved = threading.Event()

async def push():
    storage = AsyncModelStorage(limit_rate=1_000_000)
    await storage.upload_model("large.bin", "m", "1", progress=lambda *now: moved.set())

threading.Thread(target=lambda: asyncio.run(push()), daemon=True).start()
assert moved.wait(60)
"""


def test_a_process_ends_without_a_crash(storage: ModelStorage, large: Path) -> None:
    """Threads of the package leave the interpreter before it shuts down. Most runs crashed."""
    scripts = [SHORT] * 5 + [SHORT + BUSY]
    ended = [subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE) for script in scripts]
    outputs = [process.communicate(timeout=120)[1] for process in ended]
    assert [(process.returncode, output) for process, output in zip(ended, outputs)] == [(0, b"")] * len(scripts)


def test_it_needs_a_loop(storage: ModelStorage) -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        ModelStorage()._verbs().models()
