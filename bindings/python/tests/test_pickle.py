"""Storages, answers and errors in other processes."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from pathlib import Path
from typing import Any

import pytest

import modeldepot
from modeldepot import AsyncModelStorage, InvalidError, ModelDepotError, ModelStorage, NotFoundError, S3Client


def both(obj: Any) -> list[Any]:
    """Returns an object's copies, made in every way that Python has."""
    protocols = range(2, pickle.HIGHEST_PROTOCOL + 1)
    return [pickle.loads(pickle.dumps(obj, protocol)) for protocol in protocols] + [copy.copy(obj), copy.deepcopy(obj)]


def test_a_storage_is_made_again_with_its_settings(storage: ModelStorage, model: Path) -> None:
    storage.upload_model(model, "m", "1")
    given = ModelStorage(bucket=storage.bucket, limit_rate=10_000_000, addressing="path")
    for again in both(given):
        assert type(again) is ModelStorage and repr(again) == repr(given)
        assert again.get_latest_version("m") == "1"
    for client in both(storage.client):
        assert type(client) is S3Client and client.endpoint == storage.endpoint
        assert client.bucket_exists(storage.bucket)
    for twin in both(AsyncModelStorage()):
        assert type(twin) is AsyncModelStorage and twin.bucket == storage.bucket


def test_a_folder_and_a_profile_are_kept(
    storage: ModelStorage, model: Path, boto: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("profiles").write_text(
        f"[profile lab]\naws_access_key_id = minioadmin\naws_secret_access_key = minioadmin\n"
        f"endpoint_url = {storage.endpoint}\nregion = eu-west-3\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(Path("profiles").absolute()))
    monkeypatch.delenv("S3_ENDPOINT")
    lab = ModelStorage(prefix="/team/ml", profile="lab")
    assert repr(lab) == f"ModelStorage(endpoint='{storage.endpoint}', bucket='{storage.bucket}', prefix='team/ml/')"
    lab.upload_model(model, "m", "1")
    assert boto.head_object(Bucket=storage.bucket, Key="team/ml/m/v1/manifest.json")
    monkeypatch.setenv("S3_PREFIX", "another")
    for again in both(lab):
        assert repr(again) == repr(lab) and again.get_latest_version("m") == "1"
        assert b"eu-west-3" in pickle.dumps(again, 0)
    assert S3Client(profile="lab").object_exists(storage.bucket, "team/ml/m/v1/manifest.json")
    twin = pickle.loads(pickle.dumps(AsyncModelStorage(prefix="team/ml", profile="lab")))
    assert twin.prefix == "team/ml/" and repr(twin) == f"Async{lab!r}"
    assert ModelStorage(prefix="", profile="lab").prefix == ""
    with pytest.raises(InvalidError, match="no-such"):
        ModelStorage(profile="no-such")
    with pytest.raises(InvalidError, match="prefix"):
        ModelStorage(prefix="a//b")


def test_what_a_bucket_asks_for_goes_with_a_pickle(storage: ModelStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"S3_REQUEST_PAYER": "requester", "S3_EXPECTED_BUCKET_OWNER": "111122223333", "S3_SSE": "AES256"}
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    given = ModelStorage()
    for name in asked:
        monkeypatch.delenv(name)
    # It could not be combined with AES256.
    monkeypatch.setenv("S3_KMS_KEY", "a-key-of-another-process")
    monkeypatch.setenv("S3_STORAGE_CLASS", "STANDARD_IA")
    again = pickle.loads(pickle.dumps(given))
    kept = again.__reduce__()[1][1]["_pickled"]
    assert kept == {**asked, "S3_KMS_KEY": "", "S3_STORAGE_CLASS": "STANDARD_IA"}


def test_a_pickle_holds_no_key(storage: ModelStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_SECRET_KEY", "from-the-environment")
    monkeypatch.setenv("S3_ACCESS_KEY", "somebody")
    for secret in (
        ModelStorage(),
        ModelStorage(access_key="an-argument", secret_key="another-argument"),
        S3Client(access_key="an-argument", secret_key="another-argument"),
        AsyncModelStorage(access_key="an-argument", secret_key="another-argument"),
    ):
        text = pickle.dumps(secret, 0)
        assert b"argument" not in text and b"environment" not in text and b"somebody" not in text


class Named(ModelStorage):
    """A subclass with attributes of its own."""

    label: str


def test_a_subclass_keeps_its_attributes(storage: ModelStorage) -> None:
    named = Named()
    named.label = "mine"
    again = pickle.loads(pickle.dumps(named))
    assert type(again) is Named and again.label == "mine" and again.bucket == storage.bucket


def test_answers(storage: ModelStorage, model: Path) -> None:
    history = Path("training_history.json")
    history.write_text('{"loss": [0.9, 0.5]}')
    folder = Path("folder")
    folder.mkdir()
    for name in ("model.pth", ".hidden", "notes.txt"):
        (folder / name).write_bytes(model.read_bytes())
    published = storage.upload_model(folder, "m", "1", {"f1": 0.5, "größe": [1, None]}, [history], exclude=["no-such"])
    storage.upload_model(model, "m", "2")
    stored = storage.client.upload_file(model, storage.bucket, "else/where", {"run": "1"})
    answers = [
        published,
        storage.describe("m", "1"),
        *storage.describe("m", "1").files,
        *storage.list_model_versions("m"),
        *storage.models(),
        storage.verify("m", "1"),
        storage.delete_model_version("m", "2"),
        stored,
        storage.client.get_object_metadata(storage.bucket, "else/where"),
        *storage.client.list_objects(storage.bucket, "else/"),
    ]
    kinds = {type(answer).__name__ for answer in answers}
    assert kinds == {
        "Published", "Description", "StoredFile", "VersionSummary", "ModelSummary", "Verified", "Deleted",
        "ObjectMetadata", "ListedObject",
    }  # fmt: skip
    for answer in answers:
        for again in both(answer):
            assert type(again) is type(answer) and again == answer and repr(again) == repr(answer)
            for name in dir(answer):
                value = getattr(answer, name)
                if not name.startswith("_") and not callable(value):
                    assert getattr(again, name) == value, name
    assert published.left_out and published.unmatched == ["no-such"]


def test_what_is_no_pickle_of_an_answer_is_refused() -> None:
    from modeldepot._modeldepot import restored

    for kind, text in (("Deleted", "{}"), ("Deleted", "no json"), ("Nobody", "{}"), ("Published", '{"manifest": 1}')):
        with pytest.raises(ValueError):
            restored(kind, text)


def test_errors() -> None:
    for name in modeldepot.__all__:
        kind = getattr(modeldepot, name)
        if isinstance(kind, type) and issubclass(kind, ModelDepotError):
            error = kind("what", "a hint", ["why"], 5, "/path")
            for again in both(error):
                assert type(again) is kind and str(again) == str(error)
                assert (again.message, again.hint, again.causes) == ("what", "a hint", ("why",))
                assert getattr(again, "errno", None) == getattr(error, "errno", None)
                assert getattr(again, "filename", None) == getattr(error, "filename", None)


def work(storage: ModelStorage, model: str, index: int) -> Any:
    """A worker's task: it receives a storage, and sends an answer or an error back."""
    if index == 0:
        return storage.describe("m", "no-such-version")
    return storage.upload_model(model, "m", f"{index}")


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers(storage: ModelStorage, model: Path, method: str) -> None:
    storage.upload_model(model, "m", "first")
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    with multiprocessing.get_context(method).Pool(2) as pool:
        calls = [pool.apply_async(work, (storage, str(model), index)) for index in range(4)]
        with pytest.raises(NotFoundError, match="version `no-such-version` of `m` does not exist"):
            calls[0].get(timeout=120)
        assert [str(call.get(timeout=120)) for call in calls[1:]] == ["m@1", "m@2", "m@3"]


def test_joblib(storage: ModelStorage, model: Path) -> None:
    joblib = pytest.importorskip("joblib")
    calls = (joblib.delayed(storage.upload_model)(str(model), "m", f"{index}") for index in range(3))
    assert [str(published) for published in joblib.Parallel(n_jobs=2)(calls)] == ["m@0", "m@1", "m@2"]
