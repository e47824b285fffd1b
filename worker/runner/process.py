"""The process that trains one job: `python -m worker.runner`.

It starts as a spare: warm, but without a GPU context until its dispatcher requests one for an
idle GPU. The dispatcher assigns it a job as one line on its standard input; end of file before that
ends it. It outlives the worker. This is the only place that catches every exception.
"""

import os
import sys
import traceback
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog
import torch

from shared import logs
from shared.database import Database
from shared.errors import Failure
from shared.jobs import attempts
from shared.jobs.analyses import is_analysis
from shared.settings import Settings, read_settings
from shared.storage import Storage
from worker.assignment import READY, WARM_GPU, Assignment, ExitCode
from worker.locks import device_lock, job_lock
from worker.runner.analysis import AnalysisAttempt
from worker.runner.analysis_failures import analysis_failure_of
from worker.runner.attempt import Attempt
from worker.runner.failures import failure_of, is_device_fault, is_out_of_memory
from worker.runner.further_ranks import FurtherRanks, die
from worker.runner.gpu import is_limit_predicted, select_gpu
from worker.runner.memory_limit import limited_memory
from worker.runner.retry import write_with_retry
from worker.runner.warm_up import warm_up, warm_up_gpu
from worker.training.ranks import RankLost

log = structlog.get_logger()

#: The time that the process of an earlier, fenced attempt has to end.
LOCK_SECONDS = 5.0

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before CUDA starts


def main() -> int:
    """Warm up, wait for a job and train it; return the exit code."""
    settings = read_settings()
    logs.configure("runner", settings.log_level)
    _prefer_for_oom_killer()
    warm_up()
    try:
        sys.stdout.buffer.write(READY)
        sys.stdout.buffer.flush()
        line = _read_assignment()
    except (BrokenPipeError, KeyboardInterrupt):
        return ExitCode.DONE
    if not line.endswith(b"\n"):
        return ExitCode.DONE
    return train(Assignment.parse(line), settings)


def _read_assignment() -> bytes:
    """Return the next line on standard input that is no request to set up a GPU."""
    while (line := sys.stdin.buffer.readline()).startswith(WARM_GPU):
        try:
            warm_up_gpu(int(line.removeprefix(WARM_GPU)))
        except RuntimeError as error:  # the job fails on this GPU as well, or has more luck
            log.warning("the GPU was not set up", error=str(error))
    return line


def train(assignment: Assignment, settings: Settings) -> int:
    """Train one job; return the exit code. A failure of the job is recorded in the database."""
    _redirect_output(Storage(settings.storage).log(assignment.job_id, assignment.attempt))
    structlog.contextvars.bind_contextvars(job=assignment.job_id, attempt=assignment.attempt)
    database = Database(settings.database, pool_size=3)
    # Held until this process ends: no other process trains the job or uses the device.
    locks = [
        job_lock(settings, assignment.job_id),
        device_lock(settings, assignment.device, assignment.uuid, is_shared=assignment.is_shared),
        *(device_lock(settings, other.device, other.uuid) for other in assignment.further),
    ]
    try:
        has_locks = all(lock.acquire(timeout_seconds=LOCK_SECONDS) for lock in locks)
    except OSError as error:
        _log_traceback(error)
        return _fail(error, assignment, database)
    if not has_locks:
        log.error("the job or the device is still in use", device=assignment.device)
        return ExitCode.BUSY
    torch.set_num_threads(assignment.threads)
    end_with = partial(_end_with_rank, assignment, database)
    ranks = FurtherRanks(assignment, settings, locks, end_with)
    attempt = (
        AnalysisAttempt(assignment, settings, database)
        if is_analysis(assignment.job_id)
        else Attempt(assignment, settings, database, ranks)
    )
    log.info("begin", device=assignment.device, threads=assignment.threads)
    try:
        if assignment.uuid:
            select_gpu(assignment)
        # CUDA reserves far more addresses than there is memory, so no limit is possible with it.
        with limited_memory(0 if assignment.uuid else settings.runner_memory_mib):
            code = attempt.run()
    except RankLost as error:
        _log_traceback(error)
        attempt.writer.join()
        return ranks.end_as_lost()
    except Exception as error:  # noqa: BLE001 - any exception is a failure of this job
        _log_traceback(error)
        attempt.writer.join()
        ranks.end()
        attempt.heartbeat.stop()
        return _fail(error, assignment, database)
    ranks.end()
    log.info("end", code=code)
    return code


def _fail(error: Exception, assignment: Assignment, database: Database) -> int:
    """Record the job's failure; return the exit code.

    Where the GPU is at fault no failure is recorded: the dispatcher starts the job again, on
    another GPU if possible.
    """
    if assignment.uuid and is_device_fault(error):
        log.error("the device failed", device=assignment.device, uuid=assignment.uuid)
        return ExitCode.DEVICE_FAULT
    if is_limit_predicted(assignment) and is_out_of_memory(error):
        log.error("the planned memory is not enough", memory_mib=assignment.memory_mib)
        return ExitCode.MEMORY_LIMIT
    explain = analysis_failure_of if is_analysis(assignment.job_id) else failure_of
    failure = explain(error, assignment.spec)
    write_with_retry(database, attempts.fail, assignment.lease, failure)
    log.info("failed", kind=failure.kind)
    return ExitCode.DONE


def _end_with_rank(
    assignment: Assignment, database: Database, code: int, failure: Failure | None
) -> int:
    """End as another rank has ended: by its failure, its exit code or its signal."""
    if failure is None:
        return die(code)
    write_with_retry(database, attempts.fail, assignment.lease, failure)
    return ExitCode.DONE


def _log_traceback(error: Exception) -> None:
    """Write the traceback to the log, unless its disk is full."""
    with suppress(OSError):
        traceback.print_exception(error)


def _redirect_output(path: Path) -> None:
    """Redirect standard output and error to the attempt's log; discard them if it does not open."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    except OSError:
        file = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.close(file)


def _prefer_for_oom_killer() -> None:
    """Let the kernel, when it runs out of memory, end this process before database and API."""
    try:
        Path("/proc/self/oom_score_adj").write_text("800")
    except OSError:
        log.debug("oom_score_adj cannot be set on this machine")
