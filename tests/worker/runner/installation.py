"""A database with jobs that a test claims itself, without a service or worker."""

from pathlib import Path
from typing import Any

from shared.database import Database
from shared.jobs import events, queries
from shared.jobs.attempts import ClaimedJob
from shared.jobs.rows import CheckpointRow, JobRow
from shared.jobs.submission import Submission, submit
from shared.settings import Settings
from shared.storage import Storage
from tests.databases import make_tables
from tests.fakes.admission import filled
from tests.shared.claiming import claim
from worker.assignment import Assignment

#: Four steps in each epoch.
SPEC: dict[str, Any] = {
    "dataset": {"name": "digits", "train": 64, "validation": 32, "test": 32},
    "architecture": {"name": "mlp", "hidden_units": [8]},
    "training": {"batch_size": 16, "epochs": 4},
}


class Installation:
    """A home directory with a database and a storage."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home)
        self.settings.make_directories()
        self.storage = Storage(self.settings.storage)
        self.database = Database(self.settings.database, pool_size=4)
        make_tables(self.database)

    def submit(self, spec: dict[str, Any] = SPEC, **retry: Any) -> str:
        filled_spec = filled(spec)
        with self.database.write() as connection:
            return submit(connection, Submission(owner="admin", spec=filled_spec, **retry))[0]

    def claim(self) -> ClaimedJob:
        """Claim the queued job."""
        with self.database.write() as connection:
            claimed = claim(connection)
        assert claimed is not None
        return claimed

    def assignment(self) -> Assignment:
        """Claim the queued job for a runner with one thread."""
        claimed = self.claim()
        return Assignment(
            job_id=claimed.lease.job_id,
            attempt=claimed.lease.attempt,
            spec=claimed.spec,
            resume_from=claimed.resume_from,
            device="cpu:0",
            uuid="",
            threads=1,
            model="CPU, 1 thread",
        )

    def job(self, job_id: str) -> JobRow:
        with self.database.read() as connection:
            row = queries.get_job(connection, job_id)
        assert row is not None
        return row

    def checkpoints(self, job_id: str) -> list[CheckpointRow]:
        with self.database.read() as connection:
            return queries.list_checkpoints(connection, job_id)

    def notes(self, job_id: str) -> list[str]:
        with self.database.read() as connection:
            rows = events.list_events(connection, job_id, limit=1000)
        return [row.data["text"] for row in rows if row.type == "note"]
