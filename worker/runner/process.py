"""A process of its own that trains one job: `python -m worker.runner`.

It waits as a spare, warm and with nothing on a GPU, until its dispatcher hands it a job as one
line on standard input; end of file before that ends it. It outlives its worker. The only place
that catches everything.
"""

import os
import resource
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog
import torch

from shared import logs
from shared.database import Database
from shared.jobs import attempts
from shared.settings import Settings, read_settings
from shared.storage import Storage
from worker.assignment import READY, Assignment, ExitCode
from worker.locks import device_lock, job_lock
from worker.runner.attempt import Attempt
from worker.runner.failures import failure_of, is_device_fault
from worker.runner.warm_up import warm_up
from worker.runner.writer import write_with_retry

log = structlog.get_logger()

#: How long the attempt before may take to end once it is fenced off.
LOCK_SECONDS = 5.0

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before CUDA starts


def main() -> int:
    """Warm up, wait for a job, train it."""
    settings = read_settings()
    logs.configure("runner", settings.log_level)
    _be_the_first_to_go()
    warm_up()
    try:
        sys.stdout.buffer.write(READY)
        sys.stdout.buffer.flush()
        line = sys.stdin.buffer.readline()
    except (BrokenPipeError, KeyboardInterrupt):
        return ExitCode.DONE
    if not line.endswith(b"\n"):
        return ExitCode.DONE
    return train(Assignment.parse(line), settings)


def train(assignment: Assignment, settings: Settings) -> int:
    """Train one job; every way it can end is an exit code or a row of the database."""
    _log_to(Storage(settings.storage).log(assignment.job_id, assignment.attempt))
    structlog.contextvars.bind_contextvars(job=assignment.job_id, attempt=assignment.attempt)
    database = Database(settings.database, pool_size=3)
    # Kept for the whole life of this process: nobody else trains the job, or uses the device.
    locks = [
        job_lock(settings, assignment.job_id),
        device_lock(settings, assignment.device, assignment.uuid),
    ]
    try:
        is_ours = all(lock.acquire(timeout_seconds=LOCK_SECONDS) for lock in locks)
    except OSError as error:
        _tell(error)
        return _fail(error, assignment, database)
    if not is_ours:
        log.error("the job or the device is still in use", device=assignment.device)
        return ExitCode.BUSY
    torch.set_num_threads(assignment.threads)
    attempt = Attempt(assignment, settings, database)
    log.info("begin", device=assignment.device, threads=assignment.threads)
    try:
        if assignment.uuid:
            torch.cuda.set_device(assignment.index)
        # CUDA reserves far more addresses than there is memory: no bound leaves room for it.
        with _limited_memory(0 if assignment.uuid else settings.runner_memory_mib):
            code = attempt.run()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this job's failure
        _tell(error)
        attempt.scribe.settle()
        return _fail(error, assignment, database)
    log.info("end", code=code)
    return code


def _fail(error: Exception, assignment: Assignment, database: Database) -> int:
    """The job has failed; but where its GPU did, it is tried again, on another if there is one."""
    if assignment.uuid and is_device_fault(error):
        log.error("the device failed", device=assignment.device, uuid=assignment.uuid)
        return ExitCode.DEVICE_FAULT
    failure = failure_of(error, assignment.spec)
    write_with_retry(database, attempts.fail, assignment.lease, failure)
    log.info("failed", kind=failure.kind)
    return ExitCode.DONE


def _tell(error: Exception) -> None:
    """Into the log, if its disk has room."""
    with suppress(OSError):
        traceback.print_exception(error)


def _log_to(path: Path) -> None:
    """From here on, what is printed goes to the attempt's log; nowhere if it cannot be opened."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError:
        file = os.open(os.devnull, os.O_WRONLY)
    for target in (1, 2):
        os.dup2(file, target)
    os.close(file)


@contextmanager
def _limited_memory(mib: int) -> Iterator[None]:
    """Bound the address space; what the failure takes to be written is outside the bound."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    if mib:
        resource.setrlimit(resource.RLIMIT_AS, (mib * 2**20, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _be_the_first_to_go() -> None:
    """Where memory runs out, a training goes before the database and the API."""
    try:
        Path("/proc/self/oom_score_adj").write_text("800")
    except OSError:
        log.debug("oom_score_adj cannot be set here")
