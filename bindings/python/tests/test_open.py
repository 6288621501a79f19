"""A file of a version as a Python file object, without fetching all of it."""

import io
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from modeldepot import ModelStorage, NotFoundError


def test_it_reads_as_a_file_does(storage: ModelStorage, large: Path) -> None:
    storage.upload_model(large, "m", "1")
    choose = random.Random(7)
    size = large.stat().st_size
    with storage.open("m@1", "large.bin") as ours, large.open("rb") as theirs:
        assert isinstance(ours, io.BufferedReader)
        assert ours.readable() and ours.seekable() and not ours.writable()
        assert ours.name == "modeldepot://m@1/large.bin"
        for _ in range(60):
            where = choose.choice([choose.randrange(size + 100), 8 * 1024 * 1024 - 3, 16 * 1024 * 1024, size - 2])
            count = choose.choice([0, 1, 5, 4096, 300_000, 9_000_000])
            assert ours.seek(where) == theirs.seek(where)
            assert ours.read(count) == theirs.read(count)
            assert ours.tell() == theirs.tell()
        assert ours.seek(-5, os.SEEK_END) == theirs.seek(-5, os.SEEK_END)
        assert ours.seek(-3, os.SEEK_CUR) == theirs.seek(-3, os.SEEK_CUR)
        assert ours.readline() == theirs.readline()
        ours.seek(0)
        assert ours.read() == large.read_bytes()
        with pytest.raises(OSError):
            ours.fileno()
        with pytest.raises(ValueError):
            ours.seek(-1)
    with pytest.raises(ValueError):
        ours.read(1)


def test_only_what_is_read_is_fetched(storage: ModelStorage, large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.upload_model(large, "m", "1")
    with storage.open("m") as file:
        fetched: list[int] = []
        raw: Any = file.raw
        part = raw._reader.part

        class Counting:
            def __getattr__(self, name: str) -> Any:
                return getattr(reader, name)

            def part(self, index: int) -> Any:
                fetched.append(index)
                return part(index)

        reader = raw._reader
        raw._reader = Counting()
        file.seek(-7, os.SEEK_END)
        assert file.read() == b"the end"
        file.seek(0)
        file.read(100)
        file.seek(50)
        file.read(100)
    assert fetched == [2, 0], "each part once, and the middle not at all"


def test_it_is_of_the_version_that_was_opened(storage: ModelStorage, model: Path) -> None:
    storage.upload_model(model, "m", "1")
    with storage.open("m") as file:
        model.write_bytes(b"another")
        storage.upload_model(model, "m", "2")
        assert file.read(4) == b"\x00\x01\x02\x03"
    with pytest.raises(NotFoundError, match="has no file `nope`") as raised:
        storage.open("m", "nope")
    assert raised.value.hint == "its files are `best_model.pth`"


def test_an_empty_file(storage: ModelStorage, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    storage.upload_model(empty, "m", "1")
    with storage.open("m") as file:
        assert file.read() == b"" and file.seek(0, os.SEEK_END) == 0


def test_numpy_and_safetensors_read_from_it(storage: ModelStorage, tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    arrays = {"first": numpy.arange(3_000_000, dtype="float32"), "last": numpy.arange(12, dtype="int64").reshape(3, 4)}
    numpy.save(tmp_path / "one.npy", arrays["first"])
    numpy.savez(tmp_path / "both.npz", **arrays)
    storage.upload_model(tmp_path / "one.npy", "m", "1", additional_files=[tmp_path / "both.npz"])
    with storage.open("m", "one.npy") as file:
        assert (numpy.load(file) == arrays["first"]).all()
    with storage.open("m", "both.npz") as file, numpy.load(file) as found:
        assert (found["last"] == arrays["last"]).all()

    safetensors = pytest.importorskip("safetensors.numpy")
    safetensors.save_file(arrays, tmp_path / "model.safetensors")
    storage.upload_model(tmp_path / "model.safetensors", "s", "1")
    with storage.open("s") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data, (begin, end) = file.tell(), header["last"]["data_offsets"]
        file.seek(data + begin)
        last = numpy.frombuffer(file.read(end - begin), "int64").reshape(header["last"]["shape"])
    assert (last == arrays["last"]).all()
