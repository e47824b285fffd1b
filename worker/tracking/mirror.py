"""One job as one run of MLflow: parameters, tags, metrics by step, artifacts."""

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
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

EXPERIMENT = "trainshed"
#: Has MLflow's pages open on trainings instead of conversations.
KIND = {"mlflow.experimentKind": "custom_model_development"}
JOB_TAG = "trainshed.job_id"
LONGEST_PARAMETER = 6000
MOST_PARAMETERS = 100
STATUS = {"succeeded": "FINISHED", "failed": "FAILED", "cancelled": "KILLED"}
NOT_A_KEY = re.compile(r"[^\w./ -]", re.ASCII)


class Mirror:
    """The client of one MLflow store."""

    def __init__(self, settings: Settings, storage: Storage) -> None:
        self.storage = storage
        self.artifacts = settings.home / "mlflow" / "artifacts"
        self.is_remote = settings.mlflow.startswith("http")
        self.client = MlflowClient(tracking_uri=settings.mlflow)

    def open(self, job: JobRow) -> str:
        """The job's run: found by its tag, or made with its parameters and tags."""
        experiment = self._experiment()
        found = self.client.search_runs(
            [experiment], f"tags.`{JOB_TAG}` = '{job.id}'", ViewType.ALL, max_results=1
        )
        if found:
            run_id = found[0].info.run_id
            self.revive(run_id)
        else:
            run_id = self._create(experiment, job)
        # Again if it is there already: whoever made it may not have come this far.
        parameters = [Param(name, text) for name, text in parameters_of(job.spec).items()]
        for start in range(0, len(parameters), MOST_PARAMETERS):
            self.client.log_batch(run_id, params=parameters[start : start + MOST_PARAMETERS])
        return run_id

    def is_there(self) -> bool:
        """Whether MLflow answers at all."""
        try:
            self._experiment()
        except Exception:  # noqa: BLE001 - whatever it raises, it is no answer
            return False
        return True

    def revive(self, run_id: str) -> bool:
        """Restore a run that somebody deleted; False if MLflow knows none of this id."""
        try:
            run = self.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise
        if run.info.lifecycle_stage == "deleted":
            self.client.restore_run(run_id)
        return True

    def _create(self, experiment: str, job: JobRow) -> str:
        tags = {
            JOB_TAG: job.id,
            "trainshed.owner": job.owner,
            "trainshed.created_at": rfc3339(job.created_at) or "",
            **{f"tag.{_key(k)}": v for k, v in job.tags.items()},
        }
        started = job.started_at or job.created_at
        run = self.client.create_run(
            experiment,
            start_time=int(started.timestamp() * 1000),
            run_name=job.name or job.id,
            tags=tags,
        )
        return run.info.run_id

    def log(self, run_id: str, rows: list[MetricRow]) -> None:
        """Send metric rows with their stored times."""
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
        self._checkpoints(run_id, checkpoints)
        assert job.finished_at is not None, "a job in a final state has finished"
        finished = int(job.finished_at.timestamp() * 1000)
        self.client.set_terminated(run_id, STATUS[job.state], end_time=finished)

    def _experiment(self) -> str:
        found = self.client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            if found.lifecycle_stage == "deleted":
                self.client.restore_experiment(found.experiment_id)
            return found.experiment_id
        location = None if self.is_remote else self.artifacts.as_uri()
        return self.client.create_experiment(EXPERIMENT, location, KIND)

    def _checkpoints(self, run_id: str, checkpoints: list[CheckpointRow]) -> None:
        """One copy on disk: where each lies and how to load it, and a hard link where one can be.

        MLflow's files lie here if the run's artifacts have an address of this file system; behind
        `mlflow-artifacts:` they would be sent, and be a second copy.
        """
        uri = urlsplit(self.client.get_run(run_id).info.artifact_uri or "")
        local = Path(unquote(uri.path)) if uri.scheme in {"", "file"} else None
        references = {}
        for row in checkpoints:
            if row.kind == "previous":
                continue
            source = self.storage.root / row.directory / WEIGHTS
            references[checkpoint_name(row)] = self._reference(row, source)
            if local is not None:
                _link(source, local / "checkpoints" / checkpoint_name(row))
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "checkpoints.json"
            path.write_bytes(orjson.dumps(references, option=orjson.OPT_INDENT_2))
            self.client.log_artifact(run_id, str(path), "checkpoints")

    def _reference(self, row: CheckpointRow, source: Path) -> dict[str, Any]:
        """What there is to say of a checkpoint to somebody who does not have its file."""
        return {
            "checkpoint": row.id,
            "stage": row.stage,
            "epoch": row.epoch,
            "step": row.step,
            "bytes": row.bytes,
            "sha256": row.sha256,
            # Under the storage's root, which people may have mounted elsewhere than the server.
            "path": self.storage.relative(source),
            "download": f"/v1/jobs/{row.job_id}/checkpoints/{row.id}/download",
        }


def _link(source: Path, directory: Path) -> None:
    """A second name of a checkpoint's file; without one, its reference has to do."""
    directory.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):  # there already, another file system, or the job is deleted
        os.link(source, directory / WEIGHTS)


def parameters_of(spec: dict[str, Any]) -> dict[str, str]:
    """A specification as MLflow's parameters: keys and values that it takes."""
    return {_key(name): text[:LONGEST_PARAMETER] for name, text in flat(spec) if text}


def flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """A specification as `a.b.c` and text; lists and what is empty stay whole."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value if isinstance(value, str) else orjson.dumps(value).decode()


def _key(text: str) -> str:
    """A key that MLflow takes; the original stays in our database."""
    return NOT_A_KEY.sub("_", text)[:250]
