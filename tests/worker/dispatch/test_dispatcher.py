"""Which GPUs are visible to a spare and which GPU a job gets; a small program is the runner."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from box.processes import start_ticks
from shared.database import Database
from shared.jobs import liveness, queries
from shared.jobs.rows import JobRow
from shared.jobs.submission import Submission, submit
from shared.settings import Settings
from shared.storage import Storage
from tests.databases import make_tables
from tests.shared.specs import filled_in
from worker.dispatch import devices, next_spare, quarantine, spare
from worker.dispatch.device import Device
from worker.dispatch.dispatcher import Dispatcher

TIMEOUT_SECONDS = 60
GPUS = [Device(f"cuda:{i}", "A Card", f"GPU-{i}") for i in range(2)]
#: Records its assignment and succeeds. Files in the home directory change that: with `hang` it
#: hangs at its start, with `wait` before its end, and with `fault-UUID` its GPU fails.
RUNNER = """
import json, os, sys, time
from pathlib import Path
home = Path(os.environ["TRAINSHED_HOME"])
if (home / "hang").exists():
    (home / "hang").rename(home / f"hung-{os.getpid()}")
    time.sleep(600)
print("ready", flush=True)
while (line := sys.stdin.readline()).startswith("warm GPU "):
    with (home / "warmed").open("a") as file:
        file.write(line)
if not line:
    sys.exit(0)
assignment = json.loads(line)
assignment["visible"] = os.environ["CUDA_VISIBLE_DEVICES"]
with (home / "assignments").open("a") as file:
    file.write(json.dumps(assignment) + "\\n")
while (home / "wait").exists():
    time.sleep(0.02)
if (home / f"fault-{assignment['uuid']}").exists():
    sys.exit(14)
from shared.database import Database
from shared.jobs import attempts
from shared.jobs.attempts import Lease
with Database(f"sqlite:///{home}/trainshed.db", pool_size=1).write() as connection:
    attempts.succeed(connection, Lease(assignment["job_id"], assignment["attempt"]), {})
"""


class Machine:
    """A home directory, its database, and a dispatcher that is not started yet."""

    def __init__(self, home: Path, gpus: list[Device], monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = home
        self.settings = Settings(home=home)
        self.settings.make_directories()
        self.database = Database(self.settings.database, pool_size=4)
        make_tables(self.database)
        monkeypatch.setattr(spare, "COMMAND", [sys.executable, "-c", RUNNER])
        monkeypatch.setattr(devices, "find", lambda _: gpus)
        self.dispatcher = Dispatcher(self.settings, self.database)

    def submit(self, gpus: int = 1) -> str:
        spec = filled_in(resources={"gpus": gpus})
        with self.database.write() as connection:
            job_id, _ = submit(connection, Submission(owner="admin", spec=spec))
        self.dispatcher.notify()
        return job_id

    def job(self, job_id: str) -> JobRow:
        with self.database.read() as connection:
            row = queries.get_job(connection, job_id)
        assert row is not None
        return row

    def has_succeeded(self, job_id: str) -> bool:
        return self.job(job_id).state == "succeeded"

    def assignments(self) -> list[tuple[str, str, int]]:
        """Return visible GPUs, assigned GPU and its index, for each assignment so far."""
        path = self.home / "assignments"
        lines = path.read_text().splitlines() if path.exists() else []
        rows = [json.loads(line) for line in lines]
        return [(row["visible"], row["device"], row["index"]) for row in rows]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Machine]]:
    """Return a function that starts the dispatcher of a machine with these GPUs."""
    machines: list[Machine] = []

    def make(gpus: list[Device], *files: str) -> Machine:
        for name in files:
            (tmp_path / name).touch()
        machines.append(Machine(tmp_path, gpus, monkeypatch))
        machines[-1].dispatcher.start()
        return machines[-1]

    yield make
    for machine in machines:
        (tmp_path / "wait").unlink(missing_ok=True)
        machine.dispatcher.drain()
        machine.database.close()


def until(is_true: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not is_true():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.02)


def test_a_job_gets_the_index_of_its_gpu_among_the_visible_gpus(
    start: Callable[..., Machine],
) -> None:
    machine = start(GPUS, "wait")
    jobs = [machine.submit(), machine.submit()]
    until(lambda: len(machine.assignments()) == 2)
    assert sorted(machine.assignments()) == [
        ("GPU-0,GPU-1", "cuda:0", 0),
        ("GPU-0,GPU-1", "cuda:1", 1),
    ]
    (machine.home / "wait").unlink()
    until(lambda: all(map(machine.has_succeeded, jobs)))


def test_a_checkpoint_that_its_runner_has_not_recorded_is_deleted(
    start: Callable[..., Machine],
) -> None:
    machine = start(GPUS[:1], "wait")
    job = machine.submit()
    until(lambda: bool(machine.assignments()))
    orphan = Storage(machine.settings.storage).attempt(job, 1) / "step-9"
    orphan.mkdir(parents=True)
    (machine.home / "wait").unlink()
    until(lambda: machine.has_succeeded(job) and not orphan.exists())


def test_an_idle_gpu_is_set_up_for_the_next_job(start: Callable[..., Machine]) -> None:
    machine = start(GPUS, "wait")
    warmed = machine.home / "warmed"
    until(lambda: warmed.exists() and warmed.read_text() == "warm GPU 0\n")
    machine.submit()
    until(lambda: warmed.read_text() == "warm GPU 0\nwarm GPU 1\n")
    machine.submit()
    until(lambda: len(machine.assignments()) == 2)
    assert [device for _, device, _ in machine.assignments()] == ["cuda:0", "cuda:1"]
    until(lambda: machine.dispatcher.next_spare.ready)
    machine.dispatcher.notify()
    time.sleep(1)
    assert warmed.read_text().count("warm") == 2, "a spare takes memory next to running jobs"


def test_no_gpu_is_set_up_if_the_setting_forbids_it(
    start: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINSHED_WARM_GPU", "false")
    machine = start(GPUS)
    job_id = machine.submit()
    until(lambda: machine.has_succeeded(job_id))
    assert not (machine.home / "warmed").exists()


def test_a_gpu_that_fails_is_quarantined_and_its_job_resumes_on_another_gpu(
    start: Callable[..., Machine],
) -> None:
    with capture_logs() as lines:
        machine = start(GPUS, "fault-GPU-0", "wait")
        job_id = machine.submit()
        until(lambda: len(machine.assignments()) == 1)
        until(lambda: machine.dispatcher.next_spare.ready)
        (machine.home / "wait").unlink()
        until(lambda: machine.has_succeeded(job_id))
    assert machine.assignments() == [
        ("GPU-0,GPU-1", "cuda:0", 0),
        ("GPU-1", "cuda:1", 0),
    ], "the GPU that failed is still visible to the next spare"
    faults = [line for line in lines if line["event"].startswith("device quarantined")]
    assert [(line["device"], line["uuid"]) for line in faults] == [("cuda:0", "GPU-0")]

    again = machine.submit()
    until(lambda: machine.has_succeeded(again))
    assert machine.assignments()[2:] == [("GPU-1", "cuda:1", 0)]


def test_the_only_gpu_gets_jobs_again_after_its_quarantine_and_a_success_forgets_its_faults(
    start: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "FIRST_SECONDS", 1.0)
    machine = start(GPUS[:1], "fault-GPU-0")
    job_id = machine.submit()
    until(lambda: len(machine.assignments()) >= 2)
    (machine.home / "fault-GPU-0").unlink()
    until(lambda: machine.has_succeeded(job_id))
    assert set(machine.assignments()) == {("GPU-0", "cuda:0", 0)}
    until(lambda: not machine.dispatcher.runners)

    monkeypatch.setattr(quarantine, "FIRST_SECONDS", 300.0)
    with capture_logs() as lines:
        (machine.home / "fault-GPU-0").touch()
        machine.submit()
        until(lambda: any("faults" in line for line in lines))
    assert [line["faults"] for line in lines if "faults" in line] == [1]


def test_a_spare_that_hangs_is_killed_and_replaced(
    start: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spare, "READY_TIMEOUT_SECONDS", 3.0)
    monkeypatch.setattr(next_spare, "SPARE_RETRY_SECONDS", 0.1)
    with capture_logs() as lines:
        machine = start(GPUS, "hang")
        job_id = machine.submit()
        until(lambda: machine.has_succeeded(job_id))
    (hung,) = machine.home.glob("hung-*")
    until(lambda: start_ticks(int(hung.name.removeprefix("hung-"))) is None)
    assert "spare killed, not ready in time" in {line["event"] for line in lines}


def test_a_job_of_two_gpus_gets_both_and_no_other_job_runs_meanwhile(
    start: Callable[..., Machine],
) -> None:
    machine = start(GPUS, "wait")
    both, next_job = machine.submit(gpus=2), machine.submit()
    until(lambda: len(machine.assignments()) == 1)
    row = json.loads((machine.home / "assignments").read_text())
    further = {"device": "cuda:1", "uuid": "GPU-1", "index": 1}
    assert (row["job_id"], row["device"], row["further"]) == (both, "cuda:0", [further])
    time.sleep(0.5)
    assert len(machine.assignments()) == 1
    with machine.database.read() as connection:
        (beat,) = liveness.list_heartbeats(connection)
    assert beat.devices == ["cuda:0", "cuda:1"]
    (machine.home / "wait").unlink()
    until(lambda: machine.has_succeeded(next_job))


def test_both_gpus_of_a_job_are_quarantined_where_either_may_have_failed(
    start: Callable[..., Machine],
) -> None:
    machine = start(GPUS, "fault-GPU-0")
    machine.submit(gpus=2)
    until(lambda: all(map(machine.dispatcher.quarantine.contains, GPUS)))
