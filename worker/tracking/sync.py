"""The loop that sends MLflow whatever its copy of each job lacks.

The database is the spool. A cursor moves only after MLflow has accepted everything before it, and
metrics keep their recorded times, so that a metric sent twice is one point in MLflow.

Runs are created within a tenth of a second after their jobs start, so that also a short job has its
run when it ends. No job waits for that.
"""

import threading
import time
from collections.abc import Callable

import structlog

from shared.database import Database
from shared.errors import RowUnreadable, Unavailable
from shared.jobs import mlflow_sync, queries, unreadable_rows
from shared.jobs.rows import CheckpointRow, JobRow
from shared.settings import Settings
from shared.states import FINAL
from shared.storage import Storage
from worker.tracking.mirror import Mirror

log = structlog.get_logger()

ROUND_SECONDS = 1.0
#: Between two looks for jobs that have just started; the shortest jobs take three times as long.
START_SECONDS = 0.1
MAX_BACKOFF_SECONDS = 30.0
BATCH_ROWS = 500


class Sync:
    """The loop over all jobs whose copy is not complete."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.database = database
        self.storage = Storage(settings.storage)
        self.mirror = Mirror(settings, self.storage)
        #: When a job is tried again that MLflow refused, by the monotonic clock.
        self._retry_at: dict[str, float] = {}
        #: The unfinished jobs whose runs have their tags and parameters, sent by this process.
        self._described: set[str] = set()
        #: Of these, the jobs whose data has been sent.
        self._with_data: set[str] = set()

    def run(self, ended: threading.Event) -> None:
        """Run until `ended` is set, with growing pauses while MLflow is not available."""
        backoff = ROUND_SECONDS
        while not ended.is_set():
            try:
                self.round()
                backoff = ROUND_SECONDS
                self._open_runs_until(time.monotonic() + ROUND_SECONDS, ended)
            except Unavailable as error:
                log.warning("database unavailable", error=str(error))
                ended.wait(ROUND_SECONDS)
            except Exception as error:  # noqa: BLE001 - MLflow's client may raise anything
                backoff = min(2 * backoff, MAX_BACKOFF_SECONDS)
                log.warning("MLflow away", error=_brief(error), retry_in_seconds=backoff)
                ended.wait(backoff)

    def round(self) -> None:
        """Send what is new of every job. A job that MLflow refuses does not stop the others.

        Raises:
            Unavailable: our database cannot be reached.
            Exception: whatever MLflow's client raises when MLflow cannot be reached.
        """
        with self.database.read() as connection:
            behind = mlflow_sync.list_incomplete(connection)
        for job_id in behind:
            self.open_runs()  # before every job: sending the results of another takes a while
            self._try(job_id, self._send)

    def open_runs(self) -> None:
        """Create the run of every running job that has none. Errors are the same as of `round`."""
        with self.database.read() as connection:
            job_ids = mlflow_sync.list_without_run(connection)
        for job_id in job_ids:
            self._try(job_id, self._open)

    def _open_runs_until(self, deadline: float, ended: threading.Event) -> None:
        while time.monotonic() < deadline and not ended.wait(START_SECONDS):
            self.open_runs()

    def _try(self, job_id: str, send: Callable[[str], object]) -> None:
        """Call `send` for a job, unless MLflow has just refused it; record a refusal."""
        if time.monotonic() < self._retry_at.get(job_id, 0):
            return
        try:
            send(job_id)
            self._retry_at.pop(job_id, None)
        except Unavailable:
            raise
        except RowUnreadable as error:
            unreadable_rows.note(error)
            self._retry_at[job_id] = time.monotonic() + MAX_BACKOFF_SECONDS
        except Exception as error:
            if not self.mirror.is_available():
                raise
            self._record_refusal(job_id, error)

    def _record_refusal(self, job_id: str, error: Exception) -> None:
        """Record that MLflow refused a job; retry it later, with a new run if the run is gone."""
        log.warning("MLflow refused a job", job=job_id, error=_brief(error))
        with self.database.read() as connection:
            run_id = mlflow_sync.get_copy(connection, job_id).run_id
        is_gone = run_id is not None and not self.mirror.restore(run_id)
        with self.database.write() as connection:
            mlflow_sync.record_error(connection, job_id, _brief(error))
            if is_gone:
                mlflow_sync.forget_run(connection, job_id)
        if is_gone:
            self._forget(job_id)
        else:
            self._retry_at[job_id] = time.monotonic() + MAX_BACKOFF_SECONDS

    def _open(self, job_id: str) -> tuple[JobRow, str] | None:
        """Return a job and the id of its run, which is created if it is missing.

        None if the job has been deleted.
        """
        with self.database.read() as connection:
            job = queries.get_job(connection, job_id)
            run_id = mlflow_sync.get_copy(connection, job_id).run_id
        if job is None:
            return None
        if run_id is None:
            run_id = self.mirror.open(job)
            with self.database.write() as connection:
                mlflow_sync.record_run(connection, job_id, run_id)
        return job, run_id

    def _send(self, job_id: str) -> None:
        opened = self._open(job_id)
        if opened is None:
            return
        job, run_id = opened
        if job_id not in self._described:
            self.mirror.describe(run_id, job)
            self._described.add(job_id)
        if job_id not in self._with_data:
            self._send_data(job, run_id)
        with self.database.read() as connection:
            # Read after the job: of a final job, everything has been recorded.
            cursor = mlflow_sync.get_copy(connection, job_id).last_metric_id
            checkpoints = queries.list_checkpoints(connection, job_id)
        is_final = job.state in FINAL
        up_to = None if is_final else sendable_up_to(checkpoints)
        if up_to is not None or is_final:
            self._send_metrics(job_id, run_id, cursor, up_to)
        if is_final:
            self._close(job, run_id, checkpoints)

    def _send_data(self, job: JobRow, run_id: str) -> None:
        with self.database.read() as connection:
            attempts = queries.list_attempts(connection, job.id)
        if self.mirror.log_data(run_id, job, attempts):
            self._with_data.add(job.id)

    def _close(self, job: JobRow, run_id: str, checkpoints: list[CheckpointRow]) -> None:
        with self.database.read() as connection:
            evaluations = queries.list_evaluations(connection, job.id)
            artifacts = queries.list_artifacts(connection, job.id)
        self.mirror.close(run_id, job, checkpoints, evaluations, artifacts)
        with self.database.write() as connection:
            mlflow_sync.record_completed(connection, job.id)
        self._forget(job.id)
        log.info("copy complete", job=job.id, run=run_id)

    def _forget(self, job_id: str) -> None:
        self._described.discard(job_id)
        self._with_data.discard(job_id)

    def _send_metrics(
        self, job_id: str, run_id: str, cursor: int, up_to: tuple[int, int] | None
    ) -> None:
        while True:
            with self.database.read() as connection:
                rows = queries.list_metrics(
                    connection, job_id, after_id=cursor, up_to=up_to, limit=BATCH_ROWS
                )
            if not rows:
                return
            self.mirror.log_metrics(run_id, rows)
            cursor = rows[-1].id
            with self.database.write() as connection:
                mlflow_sync.record_sent(connection, job_id, cursor)


def sendable_up_to(checkpoints: list[CheckpointRow]) -> tuple[int, int] | None:
    """Return the step and epoch up to which no attempt will record metrics again; None: nowhere.

    A resumed attempt deletes and repeats the rows after its checkpoint, which is the previous
    checkpoint if the last is unreadable. The step alone is not enough: a checkpoint of an epoch's
    last step may precede the end of that epoch.
    """
    previous = (row for row in checkpoints if row.kind == "previous")
    return next(((row.step, row.epoch) for row in previous), None)


def _brief(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
