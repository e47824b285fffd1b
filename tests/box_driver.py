"""A box whose parts a test starts and ends one by one."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from box.parts import ROOT, list_parts
from box.processes import runner_pids
from shared import migrations, tables
from shared.broker import make_celery, ring
from shared.database import Database
from shared.jobs import control, events, queries
from shared.jobs.findings import FindingRow, list_findings
from shared.jobs.rows import AttemptRow, CheckpointRow, EventRow, JobRow
from shared.jobs.submission import Submission, submit
from shared.settings import Settings
from shared.states import FINAL
from shared.storage import Storage
from tests.fakes.admission import filled

TICK_SECONDS = 0.01
#: Two slots with one CPU thread each, and several checkpoints in each epoch.
#: The lease: the reaper counts 4 s of an outage as silence and kills a runner after two leases.
SETTINGS = {
    "TRAINSHED_CPU_SLOTS": "2",
    "TRAINSHED_THREADS": "1",
    "TRAINSHED_CHECKPOINT_SECONDS": "0.25",
    "TRAINSHED_LEASE_SECONDS": "4",
    "TRAINSHED_WORKER_ID": "worker-of-the-test",
}


class BoxDriver:
    """Broker, worker and tracking of one home directory; the test itself plays the API."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.environment = {**SETTINGS, "TRAINSHED_HOME": str(home), **settings}
        values = {k.removeprefix("TRAINSHED_").lower(): v for k, v in self.environment.items()}
        self.settings = Settings.model_validate(values)
        self.settings.make_directories()
        self.storage = Storage(self.settings.storage)
        self.database = Database(self.settings.database, pool_size=4)
        migrations.upgrade(self.database)
        self.celery = make_celery(self.settings)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    # Parts

    def start(self, name: str, **settings: str) -> None:
        """Start a part with the box's settings and these."""
        part = next(part for part in list_parts(self.settings) if part.name == name)
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TRAINSHED_")}
        with self.log(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                part.command,
                cwd=ROOT,
                env=clean | self.environment | settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def log(self, name: str) -> Path:
        """Return the path of a part's log."""
        return self.settings.home / "logs" / f"{name}.log"

    def log_lines(self, name: str) -> list[dict[str, Any]]:
        """Return the lines of a part's log that are JSON."""
        lines = self.log(name).read_text().splitlines() if self.log(name).exists() else []
        return [json.loads(line) for line in lines if line.startswith("{")]

    def is_running(self, name: str) -> bool:
        """Return whether a part is running."""
        process = self._processes.get(name)
        return process is not None and process.poll() is None

    def kill(self, name: str) -> None:
        """Kill a part with SIGKILL."""
        self._processes[name].kill()
        self._processes.pop(name).wait()

    def end(self, name: str, *, timeout_seconds: float = 120) -> int:
        """End a part with SIGTERM and return its exit code."""
        process = self._processes.pop(name)
        process.terminate()
        return process.wait(timeout_seconds)

    def close(self) -> None:
        """Kill every part and every runner."""
        for name in list(self._processes):
            self.kill(name)
        for pid in self.runners():
            with suppress(ProcessLookupError):  # a spare ends with its worker
                os.kill(pid, signal.SIGKILL)
        self.wait_until(lambda: not self.runners(), "the end of all runners")
        self.celery.close()
        self.database.close()
        if not self.settings.sockets.is_relative_to(self.settings.home):
            shutil.rmtree(self.settings.sockets)

    def runners(self) -> dict[int, str]:
        """Return the runners of this home by process id, with their jobs (empty for a spare)."""
        runners = {}
        for pid in runner_pids(self.settings.home):
            with suppress(OSError):  # it has just ended
                descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
                runners[pid] = next(filter(None, map(_locked_job, descriptors)), "")
        return runners

    # Jobs

    def submit(self, spec: dict[str, Any], *, notify: bool = True, owner: str = "admin") -> str:
        """Record a job and notify the worker; return the job's id."""
        filled_in = filled(spec)
        with self.database.write() as connection:
            job_id, _ = submit(connection, Submission(owner=owner, spec=filled_in))
        if notify:
            ring(self.celery)
        return job_id

    def cancel(self, job_id: str) -> None:
        """Request the job's cancellation."""
        with self.database.write() as connection:
            control.request_cancel(connection, job_id)

    def cancel_all(self) -> None:
        """Cancel every job that has not ended: the jobs of a failed test would occupy the slots."""
        unfinished = sa.select(tables.jobs.c.id).where(tables.jobs.c.state.not_in(FINAL))
        with self.database.read() as connection:
            job_ids = [*connection.scalars(unfinished)]
        for job_id in job_ids:
            self.cancel(job_id)
        for job_id in job_ids:
            self.finish(job_id)

    def job(self, job_id: str) -> JobRow:
        """Return the job."""
        with self.database.read() as connection:
            row = queries.get_job(connection, job_id)
        assert row is not None
        return row

    def attempts(self, job_id: str) -> list[AttemptRow]:
        """Return the job's attempts."""
        with self.database.read() as connection:
            return queries.list_attempts(connection, job_id)

    def events(self, job_id: str) -> list[EventRow]:
        """Return the job's events."""
        with self.database.read() as connection:
            return events.list_events(connection, job_id, limit=100_000)

    def checkpoints(self, job_id: str) -> list[CheckpointRow]:
        """Return the job's checkpoints."""
        with self.database.read() as connection:
            return queries.list_checkpoints(connection, job_id)

    def last_step(self, job_id: str) -> int:
        """Return the step of the last checkpoint; 0 before the first checkpoint."""
        rows = (row.step for row in self.checkpoints(job_id) if row.kind == "last")
        return next(rows, 0)

    def step(self, job_id: str) -> int:
        """Return the step that the job reports."""
        return (self.job(job_id).progress or {}).get("step", 0)

    def runner(self, job_id: str) -> int:
        """Wait for the job's runner and return its process id."""
        self.wait_until(lambda: job_id in self.runners().values(), f"a runner of {job_id}")
        return next(pid for pid, job in self.runners().items() if job == job_id)

    def wait_until(
        self, condition: Callable[[], Any], description: str, *, timeout_seconds: float = 240
    ) -> None:
        """Wait until the condition holds; fail with the description and the worker's log."""
        deadline = time.monotonic() + timeout_seconds
        while not condition():
            if time.monotonic() > deadline:
                text = self.log("worker").read_text() if self.log("worker").exists() else ""
                message = f"timed out waiting for {description}; the worker's log:\n{text[-3000:]}"
                raise AssertionError(message)
            time.sleep(TICK_SECONDS)

    def finish(self, job_id: str, *, timeout_seconds: float = 300) -> JobRow:
        """Return the job once it has ended, in whatever state."""
        self.wait_until(
            lambda: self.job(job_id).state in FINAL,
            f"the end of {job_id}",
            timeout_seconds=timeout_seconds,
        )
        return self.job(job_id)

    def outcome(self, job_id: str) -> dict[str, Any]:
        """Return everything that a training job produces, except for what depends on the time."""
        with self.database.read() as connection:
            metrics = queries.list_metrics(connection, job_id)
            evaluations = queries.list_evaluations(connection, job_id)
            found = list_findings(connection, job_id)
        reported = [row for row in self.checkpoints(job_id) if row.kind != "previous"]
        names = {row.id: (row.kind, row.monitor) for row in reported}
        timed = {"seconds", "images_per_second"}
        return {
            "metrics": sorted(
                (row.name, row.step, row.epoch, row.value)
                for row in metrics
                if row.name not in timed
            ),
            "weights": {
                names[row.id]: (row.epoch, row.step, row.value, row.sha256) for row in reported
            },
            "top_k": {names[row.checkpoint_id]: row.data for row in evaluations},
            "predictions": {
                names[row.checkpoint_id]: self.storage.path(row.predictions).read_bytes()
                for row in evaluations
            },
            "findings": _without_ids(found),
        }


def _without_ids(found: list[FindingRow]) -> list[dict[str, Any]]:
    """Return findings as they are the same in every job with the same training."""
    rules = {row.id: row.rule for row in found}
    return [
        {
            **{k: v for k, v in vars(row).items() if k not in {"id", "job_id"}},
            "because_of": rules.get(row.because_of or ""),
            "data": {
                **row.data,
                "patches": [{**patch, "id": ""} for patch in row.data.get("patches", [])],
            },
        }
        for row in found
    ]


def _locked_job(descriptor: Path) -> str:
    """Return the job if this entry of `/proc/<pid>/fd` is a job's lock, otherwise nothing."""
    try:
        path = descriptor.readlink()
    except OSError:  # closed since it was listed
        return ""
    return path.stem if path.name.startswith(("job_", "ana_")) else ""


def is_alive(pid: int) -> bool:
    """Return whether a process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
