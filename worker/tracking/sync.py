"""Round after round: which jobs have something that MLflow has not, and sends it.

The database is the spool. A cursor moves only after MLflow took what came before it, and the
stored times are sent, so that what is sent twice is one point there.
"""

import threading
import time

import structlog

from shared.database import Database
from shared.errors import Unavailable
from shared.jobs import mlflow_sync, queries
from shared.jobs.rows import CheckpointRow
from shared.settings import Settings
from shared.states import FINAL
from shared.storage import Storage
from worker.tracking.mirror import Mirror

log = structlog.get_logger()

ROUND_SECONDS = 1.0
LONGEST_BACKOFF_SECONDS = 30.0
BATCH = 500


class Sync:
    """The loop over jobs."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.database = database
        self.storage = Storage(settings.storage)
        self.mirror = Mirror(settings, self.storage)
        #: Jobs that MLflow refused something of, and when they are tried again.
        self._again_at: dict[str, float] = {}

    def run(self, ended: threading.Event) -> None:
        """Until `ended`; while MLflow is away, ever more patiently."""
        backoff = ROUND_SECONDS
        while not ended.is_set():
            try:
                self.round()
                backoff = ROUND_SECONDS
            except Unavailable as error:
                log.warning("database away", error=str(error))
            except Exception as error:  # noqa: BLE001 - whatever MLflow raises, the jobs go on
                backoff = min(2 * backoff, LONGEST_BACKOFF_SECONDS)
                log.warning("MLflow away", error=_brief(error), again_in_seconds=backoff)
            ended.wait(backoff)

    def round(self) -> None:
        """Send what there is of every job that is not complete; one may fail, others go on.

        Raises:
            Unavailable: our database is away.
            Exception: what MLflow's client raises where it is away.
        """
        with self.database.read() as connection:
            behind = mlflow_sync.behind(connection)
        for job_id in behind:
            if time.monotonic() < self._again_at.get(job_id, 0):
                continue
            try:
                self._send(job_id)
                self._again_at.pop(job_id, None)
            except Unavailable:
                raise
            except Exception as error:
                if not self.mirror.is_there():
                    raise
                self._stumble(job_id, error)

    def _stumble(self, job_id: str, error: Exception) -> None:
        """MLflow is there, and yet it refused: look whether it still has the run, and wait."""
        log.warning("MLflow refused", job=job_id, error=_brief(error))
        with self.database.read() as connection:
            run_id = mlflow_sync.copy_of(connection, job_id).run_id
        is_gone = run_id is not None and not self.mirror.revive(run_id)
        with self.database.write() as connection:
            mlflow_sync.stumbled(connection, job_id, _brief(error))
            if is_gone:
                mlflow_sync.forgotten(connection, job_id)
        if not is_gone:
            self._again_at[job_id] = time.monotonic() + LONGEST_BACKOFF_SECONDS

    def _send(self, job_id: str) -> None:
        with self.database.read() as connection:
            job = queries.get(connection, job_id)
            copy = mlflow_sync.copy_of(connection, job_id)
            checkpoints = queries.checkpoints(connection, job_id)
        if job is None:
            return
        run_id = copy.run_id or self.mirror.open(job)
        if copy.run_id is None:
            with self.database.write() as connection:
                mlflow_sync.opened(connection, job_id, run_id)
        is_final = job.state in FINAL
        # A resumed attempt deletes rows past its checkpoint: only what it cannot is sent.
        up_to = None if is_final else safe_place(checkpoints)
        if up_to is not None or is_final:
            self._send_metrics(job_id, run_id, copy.last_metric_id, up_to)
        if is_final:
            with self.database.read() as connection:
                evaluations = queries.evaluations(connection, job_id)
            self.mirror.close(run_id, job, checkpoints, evaluations)
            with self.database.write() as connection:
                mlflow_sync.completed(connection, job_id)
            log.info("complete", job=job_id, run=run_id)

    def _send_metrics(
        self, job_id: str, run_id: str, cursor: int, up_to: tuple[int, int] | None
    ) -> None:
        while True:
            with self.database.read() as connection:
                rows = queries.metrics(connection, job_id, past_id=cursor, up_to=up_to, limit=BATCH)
            if not rows:
                return
            self.mirror.log(run_id, rows)
            cursor = rows[-1].id
            with self.database.write() as connection:
                mlflow_sync.sent(connection, job_id, cursor)


def safe_place(checkpoints: list[CheckpointRow]) -> tuple[int, int] | None:
    """Step and epoch up to which nothing is repeated, even if the last checkpoint is unreadable.

    The step does not say it alone: a checkpoint of an epoch's last step may lack the epoch's end.
    """
    previous = (row for row in checkpoints if row.kind == "previous")
    return next(((row.step, row.epoch) for row in previous), None)


def _brief(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
