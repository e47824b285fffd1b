"""Drives the parts of a box one by one, so that a test can take them away at will."""

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

from box.parts import ROOT, parts
from shared import migrations, tables
from shared.broker import make_celery, ring
from shared.database import Database
from shared.jobs import control, events, queries
from shared.jobs.rows import AttemptRow, CheckpointRow, EventRow, JobRow
from shared.jobs.submission import Submission, submit
from shared.settings import Settings
from shared.states import FINAL
from shared.storage import Storage
from tests.fakes.admission import filled

TICK_SECONDS = 0.01
#: Two trainings side by side, each on one core, with a checkpoint several times an epoch.
#: The lease: of an outage the reaper counts 4 s as silence, and ends who is silent for two leases.
SETTINGS = {
    "TRAINSHED_CPU_SLOTS": "2",
    "TRAINSHED_THREADS": "1",
    "TRAINSHED_CHECKPOINT_SECONDS": "0.25",
    "TRAINSHED_LEASE_SECONDS": "4",
    "TRAINSHED_WORKER_ID": "worker-of-the-test",
}


class BoxDriver:
    """Broker, worker and tracking of one home; the test itself is the API."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.own = {**SETTINGS, "TRAINSHED_HOME": str(home), **settings}
        values = {k.removeprefix("TRAINSHED_").lower(): v for k, v in self.own.items()}
        self.settings = Settings.model_validate(values)
        self.settings.make_directories()
        self.storage = Storage(self.settings.storage)
        self.database = Database(self.settings.database, pool_size=4)
        migrations.upgrade(self.database)
        self.celery = make_celery(self.settings)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    # The parts

    def start(self, name: str, **settings: str) -> None:
        """Start a part, with settings of its own on top of the box's."""
        part = next(one for one in parts(self.settings) if one.name == name)
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TRAINSHED_")}
        with self.log(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                part.command,
                cwd=ROOT,
                env=clean | self.own | settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def log(self, name: str) -> Path:
        """What a part has said."""
        return self.settings.home / "logs" / f"{name}.log"

    def said(self, name: str) -> list[dict[str, Any]]:
        """The lines of its log that are JSON."""
        lines = self.log(name).read_text().splitlines() if self.log(name).exists() else []
        return [json.loads(line) for line in lines if line.startswith("{")]

    def is_running(self, name: str) -> bool:
        """Whether a part is there."""
        process = self._processes.get(name)
        return process is not None and process.poll() is None

    def kill(self, name: str) -> None:
        """SIGKILL."""
        self._processes[name].kill()
        self._processes.pop(name).wait()

    def end(self, name: str, *, within_seconds: float = 120) -> int:
        """SIGTERM, and wait; return the exit code."""
        process = self._processes.pop(name)
        process.terminate()
        return process.wait(within_seconds)

    def close(self) -> None:
        """End every part and every training, whatever state they are in."""
        for name in list(self._processes):
            self.kill(name)
        for pid in self.runners():
            with suppress(ProcessLookupError):  # a spare ends with its worker
                os.kill(pid, signal.SIGKILL)
        self.until(lambda: not self.runners(), "the end of all trainings")
        self.celery.close()
        self.database.close()
        if not self.settings.sockets.is_relative_to(self.settings.home):
            shutil.rmtree(self.settings.sockets)

    def runners(self) -> dict[int, str]:
        """Trainings and spares of this home: the job that each has the lock of, or nothing."""
        wanted, found = f"TRAINSHED_HOME={self.settings.home}".encode(), {}
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                command = (directory / "cmdline").read_bytes().split(b"\0")
                if b"worker.runner" not in command:
                    continue
                if wanted not in (directory / "environ").read_bytes().split(b"\0"):
                    continue
                opened = list((directory / "fd").iterdir())
            except OSError:
                continue
            found[int(directory.name)] = next(filter(None, map(_job_locked_by, opened)), "")
        return found

    # Jobs

    def submit(self, spec: dict[str, Any], *, rings: bool = True) -> str:
        """Write a job, and ring."""
        filled_in = filled(spec)
        with self.database.write() as connection:
            job_id, _ = submit(connection, Submission(owner="admin", spec=filled_in))
        if rings:
            ring(self.celery)
        return job_id

    def cancel(self, job_id: str) -> None:
        """Ask that it ends."""
        with self.database.write() as connection:
            control.request_cancel(connection, job_id)

    def cancel_what_is_left(self) -> None:
        """Jobs of a test that failed would keep the next one's slots."""
        unfinished = sa.select(tables.jobs.c.id).where(tables.jobs.c.state.not_in(FINAL))
        with self.database.read() as connection:
            left = [*connection.scalars(unfinished)]
        for job_id in left:
            self.cancel(job_id)
        for job_id in left:
            self.finish(job_id)

    def job(self, job_id: str) -> JobRow:
        """The job's row."""
        with self.database.read() as connection:
            row = queries.get(connection, job_id)
        assert row is not None
        return row

    def attempts(self, job_id: str) -> list[AttemptRow]:
        """Its attempts."""
        with self.database.read() as connection:
            return queries.attempts(connection, job_id)

    def events(self, job_id: str) -> list[EventRow]:
        """Everything that happened to it."""
        with self.database.read() as connection:
            return events.page(connection, job_id, limit=100_000)

    def checkpoints(self, job_id: str) -> list[CheckpointRow]:
        """Its checkpoints."""
        with self.database.read() as connection:
            return queries.checkpoints(connection, job_id)

    def last_step(self, job_id: str) -> int:
        """The step of its last checkpoint, 0 without one."""
        rows = (row.step for row in self.checkpoints(job_id) if row.kind == "last")
        return next(rows, 0)

    def step(self, job_id: str) -> int:
        """How far it says that it is."""
        return (self.job(job_id).progress or {}).get("step", 0)

    def runner(self, job_id: str) -> int:
        """The process that trains it."""
        self.until(lambda: job_id in self.runners().values(), f"a runner of {job_id}")
        return next(pid for pid, job in self.runners().items() if job == job_id)

    def until(self, is_so: Callable[[], Any], what: str, *, within_seconds: float = 240) -> None:
        """Wait for something, and say what was waited for in vain."""
        deadline = time.monotonic() + within_seconds
        while not is_so():
            if time.monotonic() > deadline:
                said = self.log("worker").read_text() if self.log("worker").exists() else ""
                raise AssertionError(f"in vain waited for {what}; the worker said:\n{said[-3000:]}")
            time.sleep(TICK_SECONDS)

    def finish(self, job_id: str, *, within_seconds: float = 300) -> JobRow:
        """Wait for its end, whichever it is, and return it."""
        self.until(
            lambda: self.job(job_id).state in FINAL,
            f"the end of {job_id}",
            within_seconds=within_seconds,
        )
        return self.job(job_id)

    def outcome(self, job_id: str) -> dict[str, Any]:
        """All that a training comes to, without what differs from one run to the next."""
        with self.database.read() as connection:
            metrics = queries.metrics(connection, job_id)
            evaluations = queries.evaluations(connection, job_id)
        kept = [row for row in self.checkpoints(job_id) if row.kind != "previous"]
        names = {row.id: (row.kind, row.monitor) for row in kept}
        timed = {"seconds", "images_per_second"}
        return {
            "metrics": sorted(
                (row.name, row.step, row.epoch, row.value)
                for row in metrics
                if row.name not in timed
            ),
            "weights": {
                names[row.id]: (row.epoch, row.step, row.value, row.sha256) for row in kept
            },
            "top_k": {names[row.checkpoint_id]: row.data for row in evaluations},
            "predictions": {
                names[row.checkpoint_id]: self.storage.path(row.predictions).read_bytes()
                for row in evaluations
            },
        }


def _job_locked_by(descriptor: Path) -> str:
    """The job whose lock this entry of `/proc/<pid>/fd` is, or nothing."""
    try:
        opened = descriptor.readlink()
    except OSError:  # closed since it was listed, as files of a working process are
        return ""
    return opened.stem if "/locks/job_" in str(opened) else ""


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
