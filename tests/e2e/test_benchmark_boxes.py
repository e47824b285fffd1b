"""`make bench` and `make experiments` stop the box they started when a signal ends them."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from box.processes import processes_of
from tests.e2e.conftest import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.long]

#: Start a box, train in it, print its home, and wait for the signal.
TRAIN = """
import sys, time
from pathlib import Path

def train(box):
    spec = {"dataset": "digits", "architecture": "mlp", "training": {"epochs": 10_000}}
    job = box.submit(spec)
    while box.http.get(f"/v1/jobs/{job['id']}").json()["state"] != "running":
        time.sleep(0.1)
    print(box.home, flush=True)
    time.sleep(600)
"""
BENCH = """
from benchmarks import __main__ as command
from benchmarks.boxes import started

def suite():
    with started() as box:
        yield train(box)

command.SUITES = {"train": suite}
"""
EXPERIMENTS = """
from benchmarks.experiments import __main__ as command

command.HOME = Path(sys.argv[1])
command.PLANS = {"train": None}
command.run = lambda plan, box, log: train(box)
"""


@pytest.mark.parametrize(
    ("script", "number"),
    [
        pytest.param(BENCH, signal.SIGTERM, id="bench-SIGTERM"),
        pytest.param(EXPERIMENTS, signal.SIGINT, id="experiments-SIGINT"),
    ],
)
def test_a_signal_ends_every_process_of_the_box(
    tmp_path: Path, script: str, number: signal.Signals
) -> None:
    code = f"{TRAIN}{script}\nsys.exit(command.main(['train']))"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    home = None
    try:
        home = next(Path(line.strip()) for line in process.stdout if line.startswith("/"))
        commands = " ".join(processes_of(home).values())
        assert "-m box up" in commands
        assert "worker.runner" in commands
        process.send_signal(number)
        assert process.wait(120) == 128 + number
        assert processes_of(home) == {}
    finally:
        process.kill()
        process.communicate()
        for pid in processes_of(home) if home else ():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
