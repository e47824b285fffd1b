"""MLflow's copy of a job: one run with parameters, tags, metrics by step, and artifacts."""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from shared.clock import rfc3339
from shared.jobs.checkpoint_names import checkpoint_name
from shared.jobs.rows import CheckpointRow, EvaluationRow, JobRow, MetricRow
from shared.settings import Settings
from shared.storage import WEIGHTS, Storage
from worker.tracking.parameters import key_of, parameters_of

EXPERIMENT = "trainshed"
#: Makes MLflow's pages show model training, not conversations.
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
JOB_TAG = "trainshed.job_id"
#: MLflow's limit for one request.
MAX_PARAMETERS_PER_BATCH = 100
STATUS = {"succeeded": "FINISHED", "failed": "FAILED", "cancelled": "KILLED"}


class Mirror:
    """The client of one MLflow store, which writes jobs as runs.

    Every call can be repeated: the process may have died after MLflow stored something and before
    our database recorded it.
    """

    def __init__(self, settings: Settings, storage: Storage) -> None:
        self.storage = storage
        self.artifacts = settings.home / "mlflow" / "artifacts"
        self.is_remote = settings.mlflow.startswith("http")
        self.client = MlflowClient(tracking_uri=settings.mlflow)

    def open(self, job: JobRow) -> str:
        """Return the id of the job's run; create the run with its parameters if it is missing."""
        experiment_id = self._experiment_id()
        runs = self.client.search_runs(
            [experiment_id], f"tags.`{JOB_TAG}` = '{job.id}'", ViewType.ALL, max_results=1
        )
        if runs:
            run_id = runs[0].info.run_id
            self.restore(run_id)
        else:
            run_id = self._create_run(experiment_id, job)
        # Also for a run that exists: its creator may have died before it sent them.
        parameters = [Param(name, text) for name, text in parameters_of(job.spec).items()]
        for start in range(0, len(parameters), MAX_PARAMETERS_PER_BATCH):
            batch = parameters[start : start + MAX_PARAMETERS_PER_BATCH]
            self.client.log_batch(run_id, params=batch)
        return run_id

    def is_available(self) -> bool:
        """Return whether MLflow answers."""
        try:
            self._experiment_id()
        except Exception:  # noqa: BLE001 - whatever it raises, MLflow does not answer
            return False
        return True

    def restore(self, run_id: str) -> bool:
        """Restore a run that was deleted; return False if MLflow has no run of this id."""
        try:
            run = self.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise
        if run.info.lifecycle_stage == "deleted":
            self.client.restore_run(run_id)
        return True

    def log_metrics(self, run_id: str, rows: list[MetricRow]) -> None:
        """Send metrics with the times at which they were recorded."""
        metrics = [
            Metric(row.name, row.value, int(row.at.timestamp() * 1000), row.step) for row in rows
        ]
        self.client.log_batch(run_id, metrics=metrics)

    def close(
        self,
        run_id: str,
        job: JobRow,
        checkpoints: list[CheckpointRow],
        evaluations: list[EvaluationRow],
    ) -> None:
        """Send the results and end the run."""
        tags = [RunTag("trainshed.state", job.state)]
        if job.failure:
            tags.append(RunTag("trainshed.failure", orjson.dumps(job.failure).decode()))
        self.client.log_batch(run_id, tags=tags)
        names = {row.id: checkpoint_name(row) for row in checkpoints}
        for row in evaluations:
            self.client.log_dict(run_id, row.data, f"top-k/{names[row.checkpoint_id]}.json")
        self.client.log_dict(run_id, job.spec, "spec.json")
        self._log_checkpoints(run_id, checkpoints)
        assert job.finished_at is not None, "a job in a final state has finished"
        finished = int(job.finished_at.timestamp() * 1000)
        self.client.set_terminated(run_id, STATUS[job.state], end_time=finished)

    def _experiment_id(self) -> str:
        experiment = self.client.get_experiment_by_name(EXPERIMENT)
        if experiment is not None:
            if experiment.lifecycle_stage == "deleted":
                self.client.restore_experiment(experiment.experiment_id)
            return experiment.experiment_id
        location = None if self.is_remote else self.artifacts.as_uri()
        return self.client.create_experiment(EXPERIMENT, location, EXPERIMENT_TAGS)

    def _create_run(self, experiment_id: str, job: JobRow) -> str:
        tags = {
            JOB_TAG: job.id,
            "trainshed.owner": job.owner,
            "trainshed.created_at": rfc3339(job.created_at) or "",
            **{f"tag.{key_of(key)}": value for key, value in job.tags.items()},
        }
        started = job.started_at or job.created_at
        run = self.client.create_run(
            experiment_id,
            start_time=int(started.timestamp() * 1000),
            run_name=job.name or job.id,
            tags=tags,
        )
        return run.info.run_id

    def _log_checkpoints(self, run_id: str, checkpoints: list[CheckpointRow]) -> None:
        """Send where each checkpoint lies and how to download it, and link its file if possible.

        The file is linked if the run's artifacts lie in this file system. Behind
        `mlflow-artifacts:` it would have to be sent, and take the disk space twice.
        """
        uri = urlsplit(self.client.get_run(run_id).info.artifact_uri or "")
        artifacts = Path(unquote(uri.path)) if uri.scheme in {"", "file"} else None
        references = {}
        for row in checkpoints:
            if row.kind == "previous":
                continue
            source = self.storage.root / row.directory / WEIGHTS
            references[checkpoint_name(row)] = self._reference(row, source)
            if artifacts is not None:
                _link(source, artifacts / "checkpoints" / checkpoint_name(row))
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "checkpoints.json"
            path.write_bytes(orjson.dumps(references, option=orjson.OPT_INDENT_2))
            self.client.log_artifact(run_id, str(path), "checkpoints")

    def _reference(self, row: CheckpointRow, source: Path) -> dict[str, Any]:
        """Return what a reader of MLflow needs to find and check a checkpoint's file."""
        return {
            "checkpoint": row.id,
            "stage": row.stage,
            "epoch": row.epoch,
            "step": row.step,
            "bytes": row.bytes,
            "sha256": row.sha256,
            # Relative to the storage's root, which may be mounted at another path elsewhere.
            "path": self.storage.relative(source),
            "download": f"/v1/jobs/{row.job_id}/checkpoints/{row.id}/download",
        }


def _link(source: Path, directory: Path) -> None:
    """Create a hard link to a checkpoint's file, if possible; the reference exists in any case."""
    directory.mkdir(parents=True, exist_ok=True)
    # The link exists, the directory is in another file system, or the job has been deleted.
    with contextlib.suppress(OSError):
        os.link(source, directory / WEIGHTS)
