"""`modeldepot://model@version/path` with fsspec."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from modeldepot import ModelStorage

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def published(storage: ModelStorage, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "weights" / "deep").mkdir(parents=True)
    (folder / "weights" / "deep" / "a.bin").write_bytes(b"aaaa")
    (folder / "weights" / "b.bin").write_bytes(b"bb")
    (folder / "config.json").write_text("{}")
    storage.upload_model(folder, "m", "1")
    storage.upload_model(folder / "config.json", "n", "2")


def test_it_is_found_by_its_name(published: None) -> None:
    with fsspec.open("modeldepot://m@1/weights/deep/a.bin") as file:
        assert file.read() == b"aaaa"
    with fsspec.open("modeldepot://m/config.json", "rt") as file:
        assert file.read() == "{}"


def test_folders(published: None) -> None:
    files = fsspec.filesystem("modeldepot")
    assert files.ls("", detail=False) == ["m@1", "n@2"]
    assert sorted(files.ls("m@1", detail=False)) == ["m@1/config.json", "m@1/weights"]
    assert sorted(files.ls("m@1/weights", detail=False)) == ["m@1/weights/b.bin", "m@1/weights/deep"]
    assert files.find("m@1") == ["m@1/config.json", "m@1/weights/b.bin", "m@1/weights/deep/a.bin"]
    assert files.glob("m@1/weights/*.bin") == ["m@1/weights/b.bin"]
    assert files.info("m@1/weights/b.bin")["size"] == 2
    assert files.isdir("m@1/weights") and files.isfile("m@1/config.json") and not files.exists("m@1/none")
    assert files.cat("m@1/weights/b.bin") == b"bb"
    assert files.created("m@1").year >= 2025
    files.get("m@1/weights", "back", recursive=True)
    assert Path("back/deep/a.bin").read_bytes() == b"aaaa"


def test_it_cannot_be_written_to(published: None) -> None:
    files = fsspec.filesystem("modeldepot")
    with pytest.raises(ValueError, match="can only be read"):
        files.open("m@1/new", "wb")
    for missing in ("m@1/none", "ghost@1/config.json", "m@7/config.json"):
        with pytest.raises(FileNotFoundError):
            files.open(missing)


SECRET = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY"


def test_no_secret_is_written_down(published: None, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    login: dict[str, Any] = {"access_key": "minioadmin", "secret_key": SECRET}
    storage = ModelStorage(endpoint=endpoint, bucket="other-bucket", **login)
    for files in (
        fsspec.filesystem("modeldepot", endpoint=endpoint, bucket="other-bucket", **login),
        fsspec.filesystem("modeldepot", storage=storage),
        type(fsspec.filesystem("modeldepot"))(storage),
    ):
        written = [files.to_json(), repr(files.to_dict()), repr(files), str(pickle.dumps(files)), str(vars(files))]
        written.append(repr(files.storage))
        assert not [text for text in written if SECRET in text]
        again = pickle.loads(pickle.dumps(files))
        assert again.storage.bucket == "other-bucket" and again.storage.endpoint.rstrip("/") == endpoint.rstrip("/")


def test_what_is_made_again_takes_its_keys_from_the_environment(
    published: None, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = fsspec.filesystem("modeldepot", access_key="minioadmin", secret_key="minioadmin")
    for again in (pickle.loads(pickle.dumps(files)), type(files).from_json(files.to_json())):
        assert again.cat("m@1/weights/b.bin") == b"bb"
    monkeypatch.setenv("S3_ACCESS_KEY", "minioadmin")
    monkeypatch.setenv("S3_SECRET_KEY", SECRET)
    with pytest.raises(PermissionError):
        pickle.loads(pickle.dumps(files)).cat("m@1/weights/b.bin")
