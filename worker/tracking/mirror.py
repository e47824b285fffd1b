"""MLflow's copy of a job: one run with parameters, tags, metrics by step, data and artifacts."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from shared.jobs.checkpoint_names import checkpoint_name
from shared.jobs.rows import (
    ArtifactRow,
    AttemptRow,
    CheckpointRow,
    EvaluationRow,
    JobRow,
    MetricRow,
)
from shared.settings import Settings
from shared.storage import Storage
from worker.tracking.data_input import data_input
from worker.tracking.files import RunFiles
from worker.tracking.parameters import parameters_of
from worker.tracking.tags import JOB_TAG, end_tags, start_tags

log = structlog.get_logger()

EXPERIMENT = "trainshed"
#: Makes MLflow's pages show model training, not conversations.
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
#: MLflow's limit for the parameters and for the tags of one request.
MAX_PER_BATCH = 100
STATUS = {"succeeded": "FINISHED", "failed": "FAILED", "cancelled": "KILLED"}

Entity = TypeVar("Entity", Param, RunTag)


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
        """Return the id of the job's run; create the run if it is missing."""
        experiment_id = self._experiment_id()
        runs = self.client.search_runs(
            [experiment_id], f"tags.`{JOB_TAG}` = '{job.id}'", ViewType.ALL, max_results=1
        )
        if runs:
            run_id = runs[0].info.run_id
            self.restore(run_id)
            return run_id
        started = job.started_at or job.created_at
        run = self.client.create_run(
            experiment_id,
            start_time=int(started.timestamp() * 1000),
            run_name=job.name or job.id,
            tags={JOB_TAG: job.id},
        )
        return run.info.run_id

    def describe(self, run_id: str, job: JobRow) -> None:
        """Send what is known of a job from its start: tags and parameters."""
        self._log_tags(run_id, start_tags(job))
        params = [Param(name, text) for name, text in parameters_of(job.spec).items()]
        self._log_batches(params, lambda batch: self.client.log_batch(run_id, params=batch))

    def log_data(self, run_id: str, job: JobRow, attempts: list[AttemptRow]) -> bool:
        """Send the data of a job as the run's input; return False if it is not known yet."""
        data = data_input(job, attempts)
        if data is not None:
            self._skip_refused("data", lambda: self.client.log_inputs(run_id, [data]))
        return data is not None

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
        artifacts: list[ArtifactRow],
    ) -> None:
        """Send the results and end the run."""
        self._log_tags(run_id, end_tags(job))
        names = {row.id: checkpoint_name(row) for row in checkpoints}
        for row in evaluations:
            if row.checkpoint_id not in names:  # the row of the checkpoint cannot be read
                continue
            self.client.log_dict(run_id, row.data, f"top-k/{names[row.checkpoint_id]}.json")
        self.client.log_dict(run_id, job.spec, "spec.json")
        files = RunFiles.of(self.client, self.storage, run_id)
        files.log_checkpoints(checkpoints)
        files.log_results(artifacts)
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

    def _log_tags(self, run_id: str, tags: dict[str, str]) -> None:
        entities = [RunTag(name, text) for name, text in tags.items()]
        self._log_batches(entities, lambda batch: self.client.log_batch(run_id, tags=batch))

    def _log_batches(
        self, entities: Sequence[Entity], send: Callable[[Sequence[Entity]], object]
    ) -> None:
        """Send tags or parameters. MLflow refuses a batch for one of them: the rest is sent."""
        for start in range(0, len(entities), MAX_PER_BATCH):
            batch = entities[start : start + MAX_PER_BATCH]
            try:
                send(batch)
            except MlflowException as error:
                if not _is_refusal(error):
                    raise
                for entity in batch:
                    self._skip_refused(entity.key, lambda entity=entity: send([entity]))

    def _skip_refused(self, name: str, send: Callable[[], object]) -> None:
        try:
            send()
        except MlflowException as error:
            if not _is_refusal(error):
                raise
            log.warning("MLflow refused a value", name=name, error=str(error)[:200])


def _is_refusal(error: MlflowException) -> bool:
    """Return whether MLflow refuses the content of a request, not the request itself."""
    return error.get_http_status_code() == 400
