"""MLflow, with artifacts on S3."""

import mlflow
import pytest
from conftest import LOGIN, SPECIAL, contents, digest
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository


@pytest.fixture
def experiment(endpoint, bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow.set_tracking_uri(f"file://{tmp_path}/mlruns")
    return mlflow.create_experiment("plants", artifact_location=f"s3://{bucket}/mlflow")


def test_artifacts_of_a_run(experiment, tree, large, tmp_path):
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.log_artifacts(str(tree), "data")
        mlflow.log_artifact(str(large), "model")
        mlflow.log_text("notes", "notes.txt")
        mlflow.log_dict({"loss": 0.3}, "history.json")
    client = mlflow.MlflowClient()
    found = {entry.path: entry for entry in client.list_artifacts(run.info.run_id)}
    assert sorted(found) == ["data", "history.json", "model", "notes.txt"] and found["data"].is_dir
    assert client.list_artifacts(run.info.run_id, "model")[0].file_size == large.stat().st_size
    where = f"runs:/{run.info.run_id}"
    back = mlflow.artifacts.download_artifacts(f"{where}/data", dst_path=str(tmp_path / "back"))
    assert contents(back) == contents(tree)
    back = mlflow.artifacts.download_artifacts(f"{where}/model/large.bin", dst_path=str(tmp_path / "back"))
    assert digest(open(back, "rb").read()) == digest(large)
    assert mlflow.artifacts.load_text(f"{where}/notes.txt") == "notes"
    assert mlflow.artifacts.load_dict(f"{where}/history.json") == {"loss": 0.3}


def test_the_store_itself(experiment, bucket, tree, tmp_path):
    store = get_artifact_repository(f"s3://{bucket}/store")
    store.log_artifacts(str(tree))
    assert [entry.path for entry in store.list_artifacts("sub")] == ["sub/deep", "sub/ü.txt"]
    store.delete_artifacts("sub")
    assert [entry.path for entry in store.list_artifacts()] == ["a.txt", "b c.txt"]


def test_long_listings(experiment, many):
    assert len(get_artifact_repository(f"s3://{many}").list_artifacts("many")) == 1005


def test_special_keys(experiment, bucket, tmp_path):
    store = get_artifact_repository(f"s3://{bucket}/special")
    for number, name in enumerate(name for name in SPECIAL if "/" not in name):
        (tmp_path / name).write_text(name)
        store.log_artifact(str(tmp_path / name), str(number))
        assert open(store.download_artifacts(f"{number}/{name}")).read() == name


def test_errors(experiment, bucket, tmp_path):
    with pytest.raises(MlflowException, match="(?i)not found|404|NoSuchKey|No such artifact|do not exist"):
        get_artifact_repository(f"s3://{bucket}/no").download_artifacts("k", str(tmp_path))
    (tmp_path / "f").write_bytes(b"x")
    with pytest.raises(Exception, match="NoSuchBucket"):
        get_artifact_repository("s3://client-no-such-bucket/x").log_artifact(str(tmp_path / "f"))
    wrong = S3ArtifactRepository(f"s3://{bucket}/x", access_key_id=LOGIN, secret_access_key="wrong")
    with pytest.raises(Exception, match="(?i)signature"):
        wrong.list_artifacts()
