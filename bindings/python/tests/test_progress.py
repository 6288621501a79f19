"""Progress, by the conventions of tqdm: a bar, nothing, or a function."""

import sys
from pathlib import Path
from typing import Any

import pytest

from modeldepot import InvalidError, ModelStorage

RATE = 20_000_000


def test_a_function_sees_the_bytes_and_their_total(storage: ModelStorage, large: Path) -> None:
    total = large.stat().st_size
    slow = ModelStorage(limit_rate=RATE)
    for call in (
        lambda see: slow.upload_model(large, "m", "1", progress=see),
        lambda see: slow.verify("m", progress=see),
        lambda see: slow.download_model("m", local_dir="back", progress=see),
    ):
        seen: list[tuple[int, int]] = []
        call(lambda *now, seen=seen: seen.append(now))
        assert seen == sorted(set(seen)), "it only grows"
        assert len(seen) > 2 and {now[1] for now in seen} == {total} and seen[-1][0] == total


def test_true_is_a_bar(storage: ModelStorage, large: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    storage.upload_model(large, "m", "1", progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("\rpushing:") and "100%" in shown.err and "21.0M/21.0M" in shown.err


def test_without_tqdm_it_is_said_what_to_do(
    storage: ModelStorage, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(InvalidError, match="needs `tqdm`") as raised:
        storage.upload_model(model, "m", "1", progress=True)
    assert raised.value.hint is not None and "pip install tqdm" in raised.value.hint
    assert storage.models() == []


def test_nothing_is_silent(storage: ModelStorage, model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    nothing: list[Any] = [False, None]
    for version, progress in enumerate(nothing):
        storage.upload_model(model, "m", f"{version}", progress=progress)
    assert capfd.readouterr() == ("", "")
    with pytest.raises(TypeError, match="`progress` is True, False or a function, not `int`"):
        storage.upload_model(model, "m", "2", progress=7)  # type: ignore[arg-type]
