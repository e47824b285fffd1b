"""One job as one run of MLflow, with MLflow's own client over a local store and over a server's."""

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared.jobs.rows import CheckpointRow
from shared.settings import Settings
from shared.storage import WEIGHTS, Storage
from tests.worker.tracking.records import JOB, checkpoints, evaluation
from worker.tracking.mirror import Mirror

# MLflow's tables use what SQLAlchemy 2.1 advises against.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


class ClientOfAServer:
    """What MLflow's client does where the artifacts lie behind the server: it sends them."""

    def __init__(self, artifact_uri: str) -> None:
        self.artifact_uri = artifact_uri
        self.sent: dict[str, str] = {}
        self.status = ""

    def log_batch(self, *_: Any, **__: Any) -> None:
        pass

    def get_run(self, _: str) -> SimpleNamespace:
        return SimpleNamespace(info=SimpleNamespace(artifact_uri=self.artifact_uri))

    def log_dict(self, _: str, content: Any, name: str) -> None:
        self.sent[name] = json.dumps(content)

    def log_artifact(self, _: str, path: str, directory: str) -> None:
        self.sent[f"{directory}/{Path(path).name}"] = Path(path).read_text()

    def set_terminated(self, _: str, status: str, *, end_time: int) -> None:
        assert end_time > 0
        self.status = status


def _box(home: Path, mlflow_url: str = "") -> tuple[Settings, Storage]:
    settings = Settings(home=home, mlflow_url=mlflow_url)
    settings.make_directories()
    return settings, Storage(settings.storage)


@dataclass
class Copied:
    """A job whose copy in a local store is complete."""

    home: Path
    mirror: Mirror
    run_id: str
    rows: list[CheckpointRow]

    def file(self, row: CheckpointRow) -> Path:
        """The job's own file of a checkpoint."""
        return self.mirror.storage.root / row.directory / WEIGHTS

    @property
    def artifacts(self) -> Path:
        """Where MLflow keeps the run's files."""
        return self.home / "mlflow" / "artifacts" / self.run_id / "artifacts"


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Copied:
    """Of a box on its embedded default, in a home with spaces."""
    home = tmp_path_factory.mktemp("a home with spaces")
    mirror = Mirror(*_box(home))
    run_id = mirror.open(JOB)
    return Copied(home, mirror, run_id, _close(mirror, run_id))


@pytest.fixture
def at_a_server(tmp_path: Path) -> Mirror:
    """A mirror whose MLflow is a server; nobody is asked."""
    return Mirror(*_box(tmp_path / "home", "http://127.0.0.1:9"))


def _close(mirror: Mirror, run_id: str) -> list[CheckpointRow]:
    rows = checkpoints(mirror.storage)
    mirror.close(run_id, JOB, rows, [evaluation(rows[0])])
    return rows


def test_in_a_local_store_a_checkpoint_is_a_second_name_of_the_job_s_file(copied: Copied) -> None:
    best, previous, last = copied.rows
    for name, row in (("best_val_loss", best), ("last", last)):
        assert (copied.artifacts / "checkpoints" / name / WEIGHTS).samefile(copied.file(row))
        assert copied.file(row).stat().st_nlink == 2
    assert copied.file(previous).stat().st_nlink == 1
    assert (copied.artifacts / "top-k" / "best_val_loss.json").exists()


def test_each_reference_says_where_a_checkpoint_lies_and_where_it_is_served(copied: Copied) -> None:
    text = (copied.artifacts / "checkpoints" / "checkpoints.json").read_text()
    references = json.loads(text)
    assert set(references) == {"best_val_loss", "last"}
    assert references["last"] == {
        "checkpoint": "ckpt_last",
        "stage": "training",
        "epoch": 4,
        "step": 40,
        "bytes": 18,
        "sha256": "0" * 64,
        "path": f"job_1/1/step-40/{WEIGHTS}",
        "download": "/v1/jobs/job_1/checkpoints/ckpt_last/download",
    }
    assert str(copied.home) not in text


def test_what_was_sent_already_is_sent_again_without_a_fault(copied: Copied) -> None:
    """Whoever dies between the last file and the note that it is sent comes here again."""
    copied.mirror.close(copied.run_id, JOB, copied.rows, [evaluation(copied.rows[0])])
    assert copied.mirror.client.get_run(copied.run_id).info.status == "FINISHED"


def test_a_server_that_keeps_artifacts_itself_gets_the_references_and_no_second_copy(
    at_a_server: Mirror,
) -> None:
    client = ClientOfAServer("mlflow-artifacts:/1/some-run/artifacts")
    at_a_server.client = client
    rows = _close(at_a_server, "some-run")

    assert set(client.sent) == {
        "top-k/best_val_loss.json",
        "spec.json",
        "checkpoints/checkpoints.json",
    }
    references = json.loads(client.sent["checkpoints/checkpoints.json"])
    for reference in references.values():
        assert (at_a_server.storage.root / reference["path"]).is_file()
        assert reference["download"].endswith(f"/{reference['checkpoint']}/download")
    for row in rows:
        assert (at_a_server.storage.root / row.directory / WEIGHTS).stat().st_nlink == 1
    assert client.status == "FINISHED"


def test_a_server_whose_artifacts_lie_on_our_file_system_gets_links(
    at_a_server: Mirror, tmp_path: Path
) -> None:
    artifacts = tmp_path / "of the server"
    artifacts.mkdir()
    at_a_server.client = ClientOfAServer(artifacts.as_uri())
    best, *_ = _close(at_a_server, "some-run")

    ours = at_a_server.storage.root / best.directory / WEIGHTS
    assert (artifacts / "checkpoints" / "best_val_loss" / WEIGHTS).samefile(ours)


def test_a_checkpoint_whose_file_is_gone_does_not_keep_the_run_open(
    at_a_server: Mirror, tmp_path: Path
) -> None:
    client = ClientOfAServer(tmp_path.as_uri())
    at_a_server.client = client
    rows = checkpoints(at_a_server.storage)
    (at_a_server.storage.root / rows[0].directory / WEIGHTS).unlink()
    at_a_server.close("some-run", JOB, rows, [])

    assert client.status == "FINISHED"
