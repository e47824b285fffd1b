"""A rank after the first of a job of several devices: `python -m worker.runner.further_rank`.

It is a child of the job's runner, which is the first rank, and trains the same steps. It writes
nothing: neither rows nor checkpoints. It ends with its runner, whatever ends that: the kernel kills
it with the thread that started it, and it ends at the end of file on its standard input.

Its standard input has a line with its `RankAssignment`, and a line once the runner has read the
state to resume from. Its standard output is only for the failure that ends it.
"""

import ctypes
import os
import signal
import sys
import threading
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

import orjson
import structlog
import torch

from shared import logs
from shared.database import Database
from shared.settings import read_settings
from shared.spec import JobSpec
from worker.assignment import Assignment, ExitCode
from worker.runner.experiment import build_experiment
from worker.runner.failures import failure_of, is_device_fault
from worker.runner.gpu import select_gpu
from worker.runner.memory_limit import limited_memory
from worker.training import checkpoint
from worker.training.fit import fit
from worker.training.ranks import RankLost, join

log = structlog.get_logger()

#: The option of `prctl` that names a signal for the end of the parent.
PR_SET_PDEATHSIG = 1
#: What the second line says where training starts from the beginning.
NO_STATE = b""


@dataclass(frozen=True)
class RankAssignment:
    """The job of a rank, as one JSON line."""

    #: Of the job; the device is this rank's.
    assignment: Assignment
    rank: int
    count: int
    #: The file by which the ranks find each other.
    rendezvous: str
    #: The process that starts it.
    parent: int

    def line(self) -> bytes:
        """Return the assignment as a line of JSON."""
        return orjson.dumps(asdict(self)) + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Self:
        """Return the assignment that a line of JSON holds."""
        values: dict[str, Any] = orjson.loads(line)
        return cls(**{**values, "assignment": Assignment.parse(orjson.dumps(values["assignment"]))})


def main() -> int:
    """Train with the other ranks; return the exit code."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # sent to the whole group; the runner reacts
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # Later output goes where errors go: to the attempt's log.
    report = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        return ExitCode.RANK_LOST
    given = RankAssignment.parse(line)
    if os.getppid() != given.parent:  # it died before its death could be announced
        return ExitCode.RANK_LOST
    try:
        _train(given)
    except RankLost as error:
        log.warning("another rank has ended", error=str(error))
        return ExitCode.RANK_LOST
    except Exception as error:  # noqa: BLE001 - any exception is a failure of the job
        traceback.print_exception(error)
        return _fail(error, given.assignment, report)
    return ExitCode.DONE


def _train(given: RankAssignment) -> None:
    settings, assignment = read_settings(), given.assignment
    logs.configure(f"rank {given.rank}", settings.log_level)
    structlog.contextvars.bind_contextvars(job=assignment.job_id, attempt=assignment.attempt)
    torch.set_num_threads(assignment.threads)
    if assignment.uuid:
        select_gpu(assignment)
    database = Database(settings.database, pool_size=1)
    with limited_memory(0 if assignment.uuid else settings.runner_memory_mib):
        _, experiment = build_experiment(
            JobSpec.model_validate(assignment.spec), assignment, settings, database
        )
        database.close()
        directory = _read_state_directory()
        state = checkpoint.load(Path(os.fsdecode(directory))) if directory else None
        log.info("rank ready", device=assignment.device)
        with join(given.rank, given.count, Path(given.rendezvous), experiment.device) as ranks:
            for _ in fit(experiment, state=state, ranks=ranks):
                pass


def _read_state_directory() -> bytes:
    """Return where the state to resume from is, or `NO_STATE`; from then on end with the runner."""
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        raise RankLost("The runner has ended.")
    threading.Thread(target=_end_with_runner, name="end-with-runner", daemon=True).start()
    return line.rstrip(b"\n")


def _end_with_runner() -> None:
    sys.stdin.buffer.read()
    os._exit(ExitCode.RANK_LOST)


def _fail(error: Exception, assignment: Assignment, report: BinaryIO) -> int:
    if assignment.uuid and is_device_fault(error):
        log.error("the device failed", device=assignment.device, uuid=assignment.uuid)
        return ExitCode.DEVICE_FAULT
    report.write(orjson.dumps(failure_of(error, assignment.spec).as_json()))
    report.flush()
    return ExitCode.RANK_FAILED


if __name__ == "__main__":
    sys.exit(main())
