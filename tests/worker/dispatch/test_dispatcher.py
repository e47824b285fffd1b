"""Which GPUs a spare sees and a job gets, when one fails; a small program is the runner."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from box.processes import started_at
from shared import migrations
from shared.database import Database
from shared.jobs import queries
from shared.jobs.rows import JobRow
from shared.jobs.submission import Submission, submit
from shared.settings import Settings
from tests.shared.specs import filled_in
from worker.dispatch import devices, dispatcher, quarantine, spare
from worker.dispatch.devices import Device
from worker.dispatch.dispatcher import Dispatcher

PATIENCE_SECONDS = 60
GPUS = [Device(f"cuda:{i}", "A Card", f"GPU-{i}") for i in range(2)]
#: Notes where it is sent, and succeeds. Where a file of that name says so it hangs at its start,
#: waits with its job, or fails as its GPU does.
RUNNER = """
import json, os, sys, time
from pathlib import Path
home = Path(os.environ["TRAINSHED_HOME"])
if (home / "hang").exists():
    (home / "hang").rename(home / f"hung-{os.getpid()}")
    time.sleep(600)
print("ready", flush=True)
line = sys.stdin.readline()
if not line:
    sys.exit(0)
given = json.loads(line)
given["visible"] = os.environ["CUDA_VISIBLE_DEVICES"]
with (home / "given").open("a") as file:
    file.write(json.dumps(given) + "\\n")
while (home / "wait").exists():
    time.sleep(0.02)
if (home / f"fault-{given['uuid']}").exists():
    sys.exit(14)
from shared.database import Database
from shared.jobs import attempts
from shared.jobs.attempts import Lease
with Database(f"sqlite:///{home}/trainshed.db", pool_size=1).write() as connection:
    attempts.succeed(connection, Lease(given["job_id"], given["attempt"]), {})
"""


class Machine:
    """A home, its database, and a dispatcher that has not begun."""

    def __init__(self, home: Path, found: list[Device], monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = home
        self.settings = Settings(home=home)
        self.settings.make_directories()
        self.database = Database(self.settings.database, pool_size=4)
        migrations.upgrade(self.database)
        monkeypatch.setattr(spare, "COMMAND", [sys.executable, "-c", RUNNER])
        monkeypatch.setattr(devices, "find", lambda _: found)
        self.dispatcher = Dispatcher(self.settings, self.database)

    def submit(self) -> str:
        with self.database.write() as connection:
            job_id, _ = submit(connection, Submission(owner="admin", spec=filled_in()))
        self.dispatcher.notify()
        return job_id

    def job(self, job_id: str) -> JobRow:
        with self.database.read() as connection:
            row = queries.get(connection, job_id)
        assert row is not None
        return row

    def has_succeeded(self, job_id: str) -> bool:
        return self.job(job_id).state == "succeeded"

    def given(self) -> list[tuple[str, str, int]]:
        """What the runners were given so far: which GPUs they see, their own, and its place."""
        path = self.home / "given"
        lines = path.read_text().splitlines() if path.exists() else []
        rows = [json.loads(line) for line in lines]
        return [(row["visible"], row["device"], row["index"]) for row in rows]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Machine]]:
    """Makes a machine with the GPUs given and starts its dispatcher."""
    begun: list[Machine] = []

    def make(found: list[Device], *files: str) -> Machine:
        for name in files:
            (tmp_path / name).touch()
        begun.append(Machine(tmp_path, found, monkeypatch))
        begun[-1].dispatcher.start()
        return begun[-1]

    yield make
    for machine in begun:
        (tmp_path / "wait").unlink(missing_ok=True)
        machine.dispatcher.drain()
        machine.database.close()


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def test_each_gpu_s_job_is_told_its_place_among_those_that_are_seen(
    start: Callable[..., Machine],
) -> None:
    machine = start(GPUS, "wait")
    jobs = [machine.submit(), machine.submit()]
    _until(lambda: len(machine.given()) == 2)
    assert sorted(machine.given()) == [
        ("GPU-0,GPU-1", "cuda:0", 0),
        ("GPU-0,GPU-1", "cuda:1", 1),
    ]
    (machine.home / "wait").unlink()
    _until(lambda: all(map(machine.has_succeeded, jobs)))


def test_a_gpu_that_fails_is_left_out_and_its_job_goes_on_elsewhere(
    start: Callable[..., Machine],
) -> None:
    with capture_logs() as told:
        machine = start(GPUS, "fault-GPU-0", "wait")
        job_id = machine.submit()
        _until(lambda: len(machine.given()) == 1)
        _until(lambda: machine.dispatcher.spare is not None and machine.dispatcher.spare.is_ready)
        (machine.home / "wait").unlink()
        _until(lambda: machine.has_succeeded(job_id))
    assert machine.given() == [
        ("GPU-0,GPU-1", "cuda:0", 0),
        ("GPU-1", "cuda:1", 0),
    ], "the next one still sees the GPU that failed"
    faults = [line for line in told if line["event"].startswith("device quarantined")]
    assert [(line["device"], line["uuid"]) for line in faults] == [("cuda:0", "GPU-0")]

    again = machine.submit()
    _until(lambda: machine.has_succeeded(again))
    assert machine.given()[2:] == [("GPU-1", "cuda:1", 0)]


def test_the_only_gpu_gets_jobs_again_after_a_while_and_a_good_end_clears_it(
    start: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "FIRST_SECONDS", 1.0)
    machine = start(GPUS[:1], "fault-GPU-0")
    job_id = machine.submit()
    _until(lambda: len(machine.given()) >= 2)
    (machine.home / "fault-GPU-0").unlink()
    _until(lambda: machine.has_succeeded(job_id))
    assert set(machine.given()) == {("GPU-0", "cuda:0", 0)}
    _until(lambda: not machine.dispatcher.runners)

    monkeypatch.setattr(quarantine, "FIRST_SECONDS", 300.0)
    with capture_logs() as told:
        (machine.home / "fault-GPU-0").touch()
        machine.submit()
        _until(lambda: any("faults" in line for line in told))
    assert [line["faults"] for line in told if "faults" in line] == [1]


def test_a_spare_that_hangs_is_ended_and_another_is_tried(
    start: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spare, "READY_TIMEOUT_SECONDS", 3.0)
    monkeypatch.setattr(dispatcher, "SPARE_RETRY_SECONDS", 0.1)
    with capture_logs() as told:
        machine = start(GPUS, "hang")
        job_id = machine.submit()
        _until(lambda: machine.has_succeeded(job_id))
    (hung,) = machine.home.glob("hung-*")
    _until(lambda: started_at(int(hung.name.removeprefix("hung-"))) is None)
    assert "spare killed, not ready in time" in {line["event"] for line in told}
