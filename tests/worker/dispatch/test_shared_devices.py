"""Jobs that share simulated devices, and a device that is lost; a small program is the runner."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from shared import tables
from shared.jobs.submission import Submission, submit
from shared.settings import Settings
from tests.shared.specs import filled_in
from tests.worker.dispatch.test_dispatcher import Machine, start, until
from worker.dispatch import devices, dispatcher

__all__ = ["start"]

FIND = devices.find


def _write(home: Path, *names: str) -> None:
    rows = [{"name": name, "memory_mib": 4_000, "utilization_fraction": 0.1} for name in names]
    (home / "devices.json").write_text(json.dumps({"devices": rows}))


@pytest.fixture
def machine(
    start: Callable[..., Machine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Machine:
    """A machine with two simulated devices whose runners wait."""
    _write(tmp_path, "sim:0", "sim:1")
    monkeypatch.setenv("TRAINSHED_SIMULATED_DEVICES", str(tmp_path / "devices.json"))
    monkeypatch.setattr(dispatcher, "SEEN_SECONDS", 0.2)
    return start(FIND(Settings(home=tmp_path)), "wait")


def _submit(machine: Machine, memory_mib: int) -> str:
    spec = filled_in(resources={"gpus": 1, "gpu_memory_mib": memory_mib})
    with machine.database.write() as connection:
        job_id, _ = submit(connection, Submission(owner="admin", spec=spec))
    machine.dispatcher.notify()
    return job_id


def _assignments(machine: Machine) -> list[dict[str, Any]]:
    path = machine.home / "assignments"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _attempts(machine: Machine, job_id: str) -> list[tuple[str, str | None, float]]:
    columns = tables.attempts.c
    query = sa.select(columns.device, columns.outcome, columns.share).order_by(columns.number)
    with machine.database.read() as connection:
        return [tuple(row) for row in connection.execute(query.where(columns.job_id == job_id))]


def test_empty_devices_are_first_and_then_jobs_share(machine: Machine) -> None:
    jobs = [_submit(machine, 1_000) for _ in range(3)]
    until(lambda: len(_assignments(machine)) == 3)
    found = {row["job_id"]: row for row in _assignments(machine)}
    names = [found[job]["device"] for job in jobs]
    assert names == ["sim:0", "sim:1", "sim:0"]
    assert all(row["is_shared"] and row["memory_mib"] == 1_000 for row in found.values())
    assert {row["uuid"] for row in found.values()} == {""}, "they train on the CPU"
    until(lambda: _attempts(machine, jobs[0])[0][2] == 0.5)
    assert _attempts(machine, jobs[1])[0][2] == 1.0
    _submit(machine, 2_700)
    with machine.database.read() as connection:
        waiting = sa.select(sa.func.count()).where(tables.jobs.c.state == "queued")
        assert connection.execute(waiting).scalar_one() == 1, "3,600 less 1,000 is too little"


def test_the_jobs_of_a_lost_device_start_again_on_another(machine: Machine) -> None:
    jobs = [_submit(machine, 1_500), _submit(machine, 3_000), _submit(machine, 1_500)]
    until(lambda: len(_assignments(machine)) == 3)
    assert [_attempts(machine, job)[0][0] for job in jobs] == ["sim:0", "sim:1", "sim:0"]
    _write(machine.home, "sim:1")
    until(lambda: all(_attempts(machine, job)[0][1] == "device_fault" for job in jobs[::2]))
    (machine.home / "wait").unlink()
    until(lambda: all(map(machine.has_succeeded, jobs)))
    assert [_attempts(machine, job)[-1][0] for job in jobs] == ["sim:1"] * 3
