"""The base class, the kinds, the builtin classes, and messages equal to those of the command."""

import json
import pickle
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import modeldepot
from modeldepot import (
    ConflictError,
    CorruptError,
    DeniedError,
    InvalidError,
    IoError,
    LocalFileNotFoundError,
    ModelDepotError,
    ModelStorage,
    NotFoundError,
    UnavailableError,
)

from .conftest import COMMAND

BUILTINS = {
    "InvalidError": ValueError,
    "NotFoundError": LookupError,
    "ConflictError": Exception,
    "DeniedError": PermissionError,
    "UnavailableError": ConnectionError,
    "CorruptError": Exception,
    "UnverifiedError": Exception,
    "IoError": OSError,
    "InternalError": RuntimeError,
    "LocalFileNotFoundError": FileNotFoundError,
}


@pytest.mark.parametrize("name, builtin", BUILTINS.items())
def test_each_kind_is_ours_and_the_builtin(name: str, builtin: type[BaseException]) -> None:
    kind = getattr(modeldepot, name)
    assert issubclass(kind, ModelDepotError) and issubclass(kind, builtin)
    assert kind.__module__ == "modeldepot" and kind.__doc__
    error = kind("it failed", "try this", ["a cause"])
    assert str(error) == "it failed\ncaused by: a cause\nhint: try this"
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.hint, again.causes) == (kind, str(error), "try this", ("a cause",))


def said_by_the_command(*arguments: str) -> dict[str, Any]:
    """Returns the command's error as JSON."""
    done = subprocess.run([COMMAND, "--json", *arguments], capture_output=True, text=True)
    error: dict[str, Any] = json.loads(done.stderr)["error"]
    return error


@pytest.mark.parametrize(
    "call, kind, arguments",
    [
        (lambda s, m: s.describe("plant_clasifier"), NotFoundError, ["show", "plant_clasifier"]),
        (lambda s, m: s.describe("plant_classifier", "2"), NotFoundError, ["show", "plant_classifier@2"]),
        (lambda s, m: s.upload_model("nope.pth", "m"), LocalFileNotFoundError, ["push", "m", "nope.pth"]),
        (
            lambda s, m: s.upload_model(m, "m", history=m),
            InvalidError,
            ["push", "m", "best_model.pth", "--history", "best_model.pth"],
        ),
        (
            lambda s, m: s.upload_model(m, "plant_classifier", "1", {"other": 1}),
            ConflictError,
            ["push", "plant_classifier", "best_model.pth", "--version", "1", "--meta", "other=1"],
        ),
        (
            lambda s, m: s.presigned_url("plant_classifier", file="best_modl.pth"),
            NotFoundError,
            ["url", "plant_classifier", "--file", "best_modl.pth"],
        ),
        (
            lambda s, m: ModelStorage(endpoint="localhost:9000"),
            InvalidError,
            ["--endpoint", "localhost:9000", "models"],
        ),
        (
            lambda s, m: ModelStorage(endpoint="http://127.0.0.1:1").models(),
            UnavailableError,
            ["--endpoint", "http://127.0.0.1:1", "models"],
        ),
        (lambda s, m: ModelStorage(bucket="no-such").models(), NotFoundError, ["--bucket", "no-such", "models"]),
        (
            lambda s, m: s.download_model("plant_classifier", local_dir=m),
            IoError,
            ["pull", "plant_classifier", "best_model.pth"],
        ),
    ],
)
def test_the_words_are_the_commands(
    storage: ModelStorage, model: Path, call: Any, kind: type[ModelDepotError], arguments: list[str]
) -> None:
    storage.upload_model(model, "plant_classifier", "1")
    with pytest.raises(kind) as raised:
        call(storage, Path("best_model.pth"))
    said = said_by_the_command(*arguments)
    error = raised.value
    assert type(error) is kind
    assert (error.message, list(error.causes)) == (said["message"], said["causes"])
    # Python has arguments and methods where the command has flags and verbs.
    assert error.hint is None or "--" not in error.hint
    assert (error.hint is None) == (said["hint"] is None)
    if "--" not in (said["hint"] or "") and "`modeldepot" not in (said["hint"] or ""):
        assert error.hint == said["hint"]


def test_hints_name_arguments(storage: ModelStorage, model: Path) -> None:
    storage.upload_model(model, "plant_classifier", "1")
    with pytest.raises(ConflictError) as raised:
        storage.upload_model(model, "plant_classifier", "1", {"other": 1})
    assert "another `version`" in str(raised.value.hint)
    with pytest.raises(NotFoundError) as absent:
        storage.describe("plant_classifier", "2")
    assert '`storage.list_model_versions("plant_classifier")`' in str(absent.value.hint)


def test_a_wrong_login_is_denied_and_shows_no_secret(storage: ModelStorage) -> None:
    secret = "correct horse battery staple"
    for access in ("minioadmin", "nobody"):
        with pytest.raises(DeniedError) as raised:
            ModelStorage(access_key=access, secret_key=secret).models()
        assert secret not in str(raised.value) + repr(raised.value) + repr(
            ModelStorage(access_key=access, secret_key=secret)
        )
        assert raised.value.hint is not None


def test_damage_is_told_and_nothing_is_left(storage: ModelStorage, boto: Any, large: Path) -> None:
    storage.upload_model(large, "m", "1")
    damaged = bytearray(large.read_bytes())
    damaged[9_000_000] ^= 1
    boto.put_object(Bucket=storage.bucket, Key="m/v1/large.bin", Body=bytes(damaged))
    for attempt in (lambda: storage.verify("m"), lambda: storage.download_model("m", local_dir="back")):
        with pytest.raises(CorruptError, match="`large.bin` of `m@1` is damaged: the BLAKE3 of bytes 8388608 to 16"):
            attempt()
    assert not Path("back/large.bin").exists()
    with storage.open("m") as file:
        assert file.read(3) == large.read_bytes()[:3], "the parts that are whole are of use"
        file.seek(9_000_001)
        with pytest.raises(CorruptError):
            file.read(1)


def test_what_the_system_said_is_kept(storage: ModelStorage, model: Path) -> None:
    storage.upload_model(model, "m", "1")
    with pytest.raises(IoError) as raised:
        storage.download_model("m", local_dir=model)
    assert raised.value.errno is not None and raised.value.filename == str(model)
    with pytest.raises(FileNotFoundError) as missing:
        storage.upload_model("nope.pth", "m")
    assert (missing.value.errno, missing.value.filename) == (2, "nope.pth")


def test_names_of_strangers_do_not_steer_a_terminal(storage: ModelStorage) -> None:
    name = "a\u202e\u200b\x1b[2J\x9b\u2028"
    with pytest.raises(NotFoundError) as raised:
        storage.client.get_object_metadata(storage.bucket, name)
    shown = f"{raised.value} {raised.value!r} {raised.value.hint}"
    assert all(letter.isprintable() for letter in shown.replace("\n", "")), ascii(shown)
    assert "a\\u{202e}\\u{200b}\\u{1b}[2J\\u{9b}\\u{2028}" in shown


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A server that gives the same answer to every request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    connection.recv(65536)
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nServer: "
PAGE = HEAD + b"nginx\r\n\r\n<title>Sign in</title>"
CONSOLE = HEAD + b"MinIO Console\r\n\r\n<html>"
TLS = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"


@pytest.mark.parametrize(
    "answer, message",
    [
        (PAGE, "is not an S3 API: it answers HTTP 200 with the web page `Sign in` (Server: nginx)"),
        (CONSOLE, "is not an S3 API: it is MinIO's console"),
        (TLS, "speaks TLS, not plain HTTP"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "is not an S3 API: it is an SSH server (`SSH-2.0-OpenSSH_9.6`)"),
    ],
)
def test_what_answers_instead_of_s3_is_named(answer: bytes, message: str) -> None:
    with answering(answer) as endpoint:
        with pytest.raises(InvalidError) as raised:
            ModelStorage(endpoint=endpoint).models()
        said = said_by_the_command("--endpoint", endpoint, "models")
    error = raised.value
    assert error.message == f"`{endpoint}` {message}"
    assert (error.message, list(error.causes)) == (said["message"], said["causes"])
    assert error.hint is not None and "--" not in error.hint
