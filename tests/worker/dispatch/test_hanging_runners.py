"""A real runner's process in which something hangs: it ends itself and logs why."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.runner.installation import SPEC, Installation
from worker.assignment import Assignment, ExitCode

ROOT = Path(__file__).parents[3]
#: The function that hangs is replaced; the rest is the real runner with shorter timeouts.
RUNNER = """
import os, sys, time
from types import SimpleNamespace
from shared.settings import Settings
from worker import data
from worker.runner import heartbeat, process, time_limit, watchdog
from worker.assignment import Assignment
from worker.training.trainer import Trainer
from worker.training.step import Stepper

def hang(*_, **__):
    print("it hangs", flush=True)
    if sys.argv[2:]:  # an hour passes
        time_limit.time = SimpleNamespace(monotonic=lambda: time.monotonic() + 3600)
    time.sleep(600)

def in_a_step(take=Stepper.step):
    def step(self, chosen_N, *, step, **rest):
        return hang() if step == 7 else take(self, chosen_N, step=step, **rest)
    Stepper.step = step

def in_validation(validate=Trainer.validate):
    Trainer.validate = lambda self: hang() if self.position.epoch == 1 else validate(self)

def in_loading():
    data.load_splits = hang

heartbeat.BEAT_SECONDS = 0.05
watchdog.MIN_STALL_SECONDS = watchdog.GRACE_SECONDS = time_limit.MARGIN_SECONDS = 1.0
globals()[sys.argv[1]]()
code = process.train(Assignment.parse(sys.stdin.buffer.readline()), Settings())
os._exit(code)
"""


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path)
    yield installation
    installation.database.close()


def _run(installation: Installation, assignment: Assignment, *hangs: str) -> int:
    """Train in a separate process; return its exit code."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TRAINSHED_")}
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, *hangs],
        cwd=ROOT,
        env=clean | {"TRAINSHED_HOME": str(installation.settings.home)},
        input=assignment.line(),
        stderr=subprocess.PIPE,
        timeout=120,
        check=False,
    )
    text = installation.storage.log(assignment.job_id, assignment.attempt).read_text()
    assert "it hangs" in text, done.stderr.decode() + text
    return done.returncode


def _log(installation: Installation, job_id: str) -> str:
    return installation.storage.log(job_id, 1).read_text()


def test_a_step_that_does_not_end_is_logged_with_the_stacks_of_all_threads(
    installation: Installation,
) -> None:
    job_id = installation.submit()
    assert _run(installation, installation.assignment(), "in_a_step") == ExitCode.STALLED
    text = _log(installation, job_id)
    positions = [
        text.index(word) for word in ("no step ends", "Thread 0x", "in take_step", "stalled")
    ]
    assert positions == sorted(positions)
    # The dispatcher, which waits for the process, decides what happens to the job.
    assert installation.job(job_id).state == "running"
    assert [row.step for row in installation.checkpoints(job_id) if row.kind == "last"] == [4]


@pytest.mark.parametrize(("hangs", "kept"), [("in_loading", []), ("in_validation", [4])])
def test_a_hang_outside_a_step_ends_at_max_runtime_and_leaves_the_last_checkpoint(
    installation: Installation, hangs: str, kept: list[int]
) -> None:
    job_id = installation.submit({**SPEC, "resources": {"max_runtime_seconds": 3600}})
    assert _run(installation, installation.assignment(), hangs, "an hour passes") == ExitCode.DONE
    job = installation.job(job_id)
    assert (job.state, job.failure["kind"]) == ("failed", "max_runtime")
    assert "no step ends" in _log(installation, job_id)
    assert "Thread 0x" not in _log(installation, job_id), "it did not stall"
    assert [row.step for row in installation.checkpoints(job_id) if row.kind == "last"] == kept
