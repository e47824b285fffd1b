"""The copy of a job in a local MLflow store, and in a server's with a fake of MLflow's client."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.jobs.rows import CheckpointRow
from shared.settings import Settings
from shared.storage import WEIGHTS, Storage
from tests.fakes.mlflow_client import FakeServerClient
from tests.worker.tracking.finished_job import ATTEMPTS, JOB, checkpoints, confusion, evaluation
from worker.tracking.mirror import Mirror

# MLflow's tables use what SQLAlchemy 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


def _box(home: Path, mlflow_url: str = "") -> tuple[Settings, Storage]:
    settings = Settings(home=home, mlflow_url=mlflow_url)
    settings.make_directories()
    return settings, Storage(settings.storage)


@dataclass
class CompleteCopy:
    """A job with a complete copy in a local store."""

    home: Path
    mirror: Mirror
    run_id: str
    rows: list[CheckpointRow]

    def file(self, row: CheckpointRow) -> Path:
        """Return the file of a checkpoint in the job's storage."""
        return self.mirror.storage.root / row.directory / WEIGHTS

    @property
    def artifacts(self) -> Path:
        """The directory in which MLflow stores the run's files."""
        return self.home / "mlflow" / "artifacts" / self.run_id / "artifacts"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> CompleteCopy:
    """Return the copy of a job of a box on its embedded default, in a home with spaces."""
    home = tmp_path_factory.mktemp("a home with spaces")
    mirror = Mirror(*_box(home))
    run_id = mirror.open(JOB)
    mirror.describe(run_id, JOB)
    mirror.log_data(run_id, JOB, ATTEMPTS)
    return CompleteCopy(home, mirror, run_id, _close(mirror, run_id))


@pytest.fixture
def server_mirror(tmp_path: Path) -> Mirror:
    """Return a mirror whose MLflow is a server that does not exist."""
    return Mirror(*_box(tmp_path / "home", "http://127.0.0.1:9"))


def _close(mirror: Mirror, run_id: str) -> list[CheckpointRow]:
    rows = checkpoints(mirror.storage)
    mirror.close(run_id, JOB, rows, [evaluation(rows[0])], [confusion(mirror.storage)])
    return rows


def test_a_local_store_gets_hard_links_to_the_checkpoints(copy: CompleteCopy) -> None:
    best, previous, last = copy.rows
    for name, row in (("best_val_loss", best), ("last", last)):
        assert (copy.artifacts / "checkpoints" / name / WEIGHTS).samefile(copy.file(row))
        assert copy.file(row).stat().st_nlink == 2
    assert copy.file(previous).stat().st_nlink == 1
    assert (copy.artifacts / "top-k" / "best_val_loss.json").exists()


def test_a_reference_names_a_checkpoint_s_path_and_download(copy: CompleteCopy) -> None:
    text = (copy.artifacts / "checkpoints" / "checkpoints.json").read_text()
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
    assert str(copy.home) not in text


def test_a_local_store_gets_hard_links_to_the_results(copy: CompleteCopy) -> None:
    linked = copy.artifacts / "results" / "confusion-best_val_loss.csv"
    row = confusion(copy.mirror.storage)
    assert linked.samefile(copy.mirror.storage.root / row.path)
    (reference,) = json.loads((copy.artifacts / "results" / "results.json").read_text()).values()
    assert reference["download"] == "/v1/jobs/job_1/artifacts/artifact_1/download"


def test_a_run_has_the_data_of_the_job_as_its_input(copy: CompleteCopy) -> None:
    (data,) = copy.mirror.client.get_run(copy.run_id).inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("digits", "ab" * 16)
    assert json.loads(data.dataset.source)["uri"] == "/v1/datasets/digits"
    tags = {tag.key: tag.value for tag in data.tags}
    sizes = {"train": "1200", "validation": "200", "test": "397"}
    assert tags == {"mlflow.data.context": "training"} | sizes


def test_the_data_of_a_job_is_not_sent_before_an_attempt_has_read_it(copy: CompleteCopy) -> None:
    assert not copy.mirror.log_data(copy.run_id, JOB, ATTEMPTS[1:])


def test_a_run_has_tags_that_say_how_the_job_ended(copy: CompleteCopy) -> None:
    tags = copy.mirror.client.get_run(copy.run_id).data.tags
    assert tags["trainshed.state"] == "succeeded"
    assert tags["trainshed.reason"] == "completed"
    assert tags["trainshed.ending"] == "finished all 2 epochs"
    assert tags["trainshed.stages.training"] == "finished all 2 epochs"


def test_a_tag_that_mlflow_refuses_does_not_stop_the_others(
    copy: CompleteCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = {"tag.first": "1", "tag.//": "refused", "tag.last": "2"}
    monkeypatch.setattr("worker.tracking.mirror.start_tags", lambda _: tags)
    copy.mirror.describe(copy.run_id, JOB)
    run = copy.mirror.client.get_run(copy.run_id)
    assert {"tag.first": "1", "tag.last": "2"}.items() <= run.data.tags.items()
    assert run.data.params["seed"] == "3"


def test_results_can_be_sent_again(copy: CompleteCopy) -> None:
    """The process may have died before it recorded that they were sent."""
    mirror, run_id = copy.mirror, copy.run_id
    artifacts = [confusion(mirror.storage)]
    mirror.close(run_id, JOB, copy.rows, [evaluation(copy.rows[0])], artifacts)
    assert copy.mirror.client.get_run(copy.run_id).info.status == "FINISHED"


def test_a_server_that_stores_artifacts_itself_gets_results_and_no_weights(
    server_mirror: Mirror,
) -> None:
    client = FakeServerClient("mlflow-artifacts:/1/some-run/artifacts")
    server_mirror.client = client
    rows = _close(server_mirror, "some-run")

    assert set(client.sent) == {
        "top-k/best_val_loss.json",
        "spec.json",
        "checkpoints/checkpoints.json",
        "results/results.json",
        "results/confusion-best_val_loss.csv",
    }
    references = json.loads(client.sent["checkpoints/checkpoints.json"])
    for reference in references.values():
        assert (server_mirror.storage.root / reference["path"]).is_file()
        assert reference["download"].endswith(f"/{reference['checkpoint']}/download")
    for row in rows:
        assert (server_mirror.storage.root / row.directory / WEIGHTS).stat().st_nlink == 1
    assert client.status == "FINISHED"


def test_a_server_with_artifacts_in_our_file_system_gets_hard_links(
    server_mirror: Mirror, tmp_path: Path
) -> None:
    artifacts = tmp_path / "of the server"
    artifacts.mkdir()
    server_mirror.client = FakeServerClient(artifacts.as_uri())
    best, *_ = _close(server_mirror, "some-run")

    ours = server_mirror.storage.root / best.directory / WEIGHTS
    assert (artifacts / "checkpoints" / "best_val_loss" / WEIGHTS).samefile(ours)


def test_a_run_is_ended_although_a_checkpoint_s_file_is_missing(
    server_mirror: Mirror, tmp_path: Path
) -> None:
    client = FakeServerClient(tmp_path.as_uri())
    server_mirror.client = client
    rows = checkpoints(server_mirror.storage)
    (server_mirror.storage.root / rows[0].directory / WEIGHTS).unlink()
    server_mirror.close("some-run", JOB, rows, [], [])

    assert client.status == "FINISHED"
