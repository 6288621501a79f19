"""The command that the wheel includes. It is built with the default features, unlike the one of the Rust tests."""

import subprocess
from pathlib import Path

from .conftest import COMMAND


def test_a_build_without_the_feature_oidc_says_so(tmp_path: Path) -> None:
    flags = ["--oidc-issuer", "https://id.example", "--oidc-client-id", "x", "--oidc-grant", "*=read"]
    environment = {
        "HOME": str(tmp_path),
        "S3_ENDPOINT": "http://127.0.0.1:1",
        "S3_ACCESS_KEY": "a",
        "S3_SECRET_KEY": "s",
    }
    ran = subprocess.run(
        [COMMAND, "serve", *flags], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.splitlines() == [
        "error: this build does not support OpenID Connect: it lacks the feature `oidc`",
        "hint: build it with the feature: `cargo install --path crates/modeldepot-cli --features oidc`",
    ]
