"""The embedded default: what somebody gets who clones the project and types `make up`."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from box.processes import read_pid_file
from tests.e2e.conftest import (
    PATIENCE_SECONDS,
    ROOT,
    EmbeddedBox,
    free_port,
    processes_of,
    until,
)
from tests.e2e.scenario import SPEC, one_job
from trainshed import ApiError, Client, Unreachable

pytestmark = pytest.mark.e2e

#: Over in a moment.
QUICK = {"dataset": "digits", "architecture": "linear", "training": {"epochs": 1}}
#: Goes on until somebody ends it.
LONG = {**SPEC, "training": {"epochs": 10_000, "batch_size": 32}}


def _command(box: EmbeddedBox, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trainshed", *arguments],
        cwd=ROOT,
        env=box.environment | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_job_goes_the_whole_way(box: EmbeddedBox, tmp_path: Path) -> None:
    with box.client() as client:
        job = one_job(client, tmp_path)
    best = box.home / "mlflow" / "artifacts" / _run_of(box, job["id"]) / "artifacts"
    weights = best / "checkpoints" / "best_val_loss" / "weights.safetensors"
    until(weights.exists, "the checkpoint in MLflow's store")
    assert weights.stat().st_nlink > 1, "MLflow's checkpoint is another copy"


def _run_of(box: EmbeddedBox, job_id: str) -> str:
    with box.client() as client:
        return client.get(job_id)["mlflow_run_id"]


def test_the_key_is_for_its_owner_alone(box: EmbeddedBox) -> None:
    assert (box.home / "key").stat().st_mode & 0o777 == 0o600


def test_only_the_api_listens_and_only_here(box: EmbeddedBox) -> None:
    opened = set[str]().union(*map(_opened, processes_of(box.home)))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in opened}
    assert listening == {f"0100007F:{box.port:04X}"}


def _opened(pid: int) -> set[str]:
    """What a process has open, but for what it closes meanwhile; nothing once it is gone."""
    opened = set()
    with suppress(OSError):
        for path in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                opened.add(str(path.readlink()))
    return opened


def test_the_api_has_no_torch_and_stays_small(box: EmbeddedBox) -> None:
    pid = next(pid for pid, command in processes_of(box.home).items() if "-m api" in command)
    maps = Path(f"/proc/{pid}/maps").read_text()
    assert "torch" not in maps
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    assert int(resident.split()[1]) * 1024 < 200e6


def test_no_part_but_the_api_is_told_the_key(box: EmbeddedBox) -> None:
    key = (box.home / "key").read_text().strip()
    for pid in processes_of(box.home):
        with suppress(OSError):  # a runner that has ended meanwhile
            assert key.encode() not in Path(f"/proc/{pid}/environ").read_bytes()


class TestCommandLine:
    def test_submit_and_follow_ends_with_the_job_s_code(
        self, box: EmbeddedBox, tmp_path: Path
    ) -> None:
        path = tmp_path / "spec.json"
        path.write_text(
            '{"dataset": "digits", "architecture": "linear", "training": {"epochs": 1}}'
        )
        done = _command(box, "submit", str(path), "--follow")
        assert done.returncode == 0, done.stderr
        assert "best_val_loss" in done.stdout
        assert "\x1b" not in done.stdout, "colours in a pipe"
        job = done.stdout.split()[0]
        for command in ("show", "metrics", "top-k", "checkpoints", "logs"):
            shown = _command(box, command, job)
            assert shown.returncode == 0, shown.stderr
            assert shown.stdout

    def test_a_job_that_fails_is_exit_code_1(self, box: EmbeddedBox, tmp_path: Path) -> None:
        path = tmp_path / "spec.json"
        path.write_text(
            '{"dataset": "digits", "architecture": {"name": "mlp", "hidden_units": [64, 64]},'
            ' "optimizer": {"name": "sgd", "learning_rate": 1000}, "training": {"epochs": 3}}'
        )
        done = _command(box, "submit", str(path), "--follow")
        assert done.returncode == 1
        assert "diverged" in done.stdout
        assert "learning_rate" in done.stdout

    def test_a_refused_spec_is_exit_code_2_and_names_every_fault(
        self, box: EmbeddedBox, tmp_path: Path
    ) -> None:
        path = tmp_path / "spec.json"
        path.write_text('{"dataset": "digitz", "architecture": "mlq"}')
        done = _command(box, "submit", str(path))
        assert done.returncode == 2
        assert "digits" in done.stderr
        assert "mlp" in done.stderr

    def test_what_is_not_there_is_exit_code_4_and_a_silent_service_5(
        self, box: EmbeddedBox
    ) -> None:
        assert _command(box, "show", "job_nothing").returncode == 4
        silent = _command(box, "--url", "http://127.0.0.1:1", "list")
        assert silent.returncode == 5
        assert "no service answers" in silent.stderr

    def test_listings_speak_json(self, box: EmbeddedBox) -> None:
        for command in ("list", "datasets"):
            done = _command(box, command, "--json")
            assert done.stdout.startswith("[")


def test_a_part_that_dies_is_started_again(box: EmbeddedBox) -> None:
    pid = next(pid for pid, command in processes_of(box.home).items() if "-m api" in command)
    os.kill(pid, signal.SIGKILL)
    until(lambda: pid not in processes_of(box.home), "its end")
    until(lambda: _answers(box), "another one")


def _answers(box: EmbeddedBox) -> bool:
    with box.client() as client, suppress(ApiError, Unreachable):
        return bool(client.presets())
    return False


def _refused(environment: dict[str, str]) -> str:
    """What `box up` says where it does not start."""
    refused = subprocess.run(
        [sys.executable, "-m", "box", "up"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    return refused.stderr


def test_a_second_box_in_one_home_or_at_one_port_is_refused(
    box: EmbeddedBox, tmp_path: Path
) -> None:
    assert "already" in _refused(box.environment | {"TRAINSHED_PORT": str(free_port())})
    other = {"TRAINSHED_HOME": str(tmp_path / "other")}
    assert "TRAINSHED_PORT" in _refused(box.environment | other)


def test_two_boxes_live_side_by_side_and_one_s_end_is_not_the_other_s(
    box: EmbeddedBox, tmp_path: Path
) -> None:
    """Another home and another port are another box: nothing of them is one and the same."""
    beside = EmbeddedBox(tmp_path / "beside", free_port())
    beside.start()
    try:
        with box.client() as here, beside.client() as there:
            jobs = [client.submit(QUICK)["id"] for client in (here, there)]
            for client, job in zip((here, there), jobs, strict=True):
                assert client.wait(job, timeout_seconds=PATIENCE_SECONDS)["state"] == "succeeded"
            assert [job["id"] for job in there.jobs()] == jobs[1:]
            assert jobs[1] not in {job["id"] for job in here.jobs()}
            _is_a_stranger(here, beside)
        assert not processes_of(box.home).keys() & processes_of(beside.home).keys()
        before = _parts(box)
    finally:
        assert beside.stop() == 0
    assert processes_of(beside.home) == {}
    assert None not in before.values()
    assert _parts(box) == before
    ready = httpx.get(f"http://127.0.0.1:{box.port}/readyz")
    assert ready.status_code == 200, ready.text
    with box.client() as here:
        again = here.submit(QUICK)["id"]
        assert here.wait(again, timeout_seconds=PATIENCE_SECONDS)["state"] == "succeeded"


def _is_a_stranger(client: Client, other: EmbeddedBox) -> None:
    """One box's key opens nothing of the other's."""
    key = str(client.http.headers["Authorization"])
    answer = httpx.get(f"http://127.0.0.1:{other.port}/v1/jobs", headers={"Authorization": key})
    assert answer.status_code == 401


def _parts(box: EmbeddedBox) -> dict[str, int | None]:
    """The process of each part, or None where it has ended."""
    return {path.stem: read_pid_file(path) for path in (box.home / "run").glob("*.pid")}


def test_a_killed_supervisor_s_training_is_adopted_and_its_parts_are_replaced(
    box: EmbeddedBox,
) -> None:
    with box.client() as client:
        job = client.submit(LONG)["id"]
        until(lambda: _step(client, job) > 0, "the first step")
        assert box.process is not None
        before = processes_of(box.home)
        runner = next(
            pid for pid, command in before.items() if "worker.runner" in command and _has_lock(pid)
        )
        box.process.kill()
        box.process.communicate()
        box.start()
        assert runner in processes_of(box.home)
        # Tracking starts last, when people can use the box already.
        until(lambda: _parts_of(box) == dict.fromkeys(PARTS, 1), "one of each part")
        then = _step(client, job)
        until(lambda: _step(client, job) > then, "a further step")
        client.cancel(job)
        ended = client.wait(job, timeout_seconds=PATIENCE_SECONDS)
        assert (ended["state"], ended["attempt"]) == ("cancelled", 1)
        assert runner not in processes_of(box.home)


PARTS = ("-m api", "-m worker ", "worker.sidecar", "worker.tracking", "valkey-server")


def _parts_of(box: EmbeddedBox) -> dict[str, int]:
    """How many processes there are of each part."""
    commands = [f"{command} " for command in processes_of(box.home).values()]
    return {part: sum(part in command for command in commands) for part in PARTS}


def _has_lock(pid: int) -> bool:
    """Whether a runner is at work: it holds its job's lock file open."""
    return any("job_" in path for path in _opened(pid))


def _step(client: Client, job: str) -> int:
    return (client.get(job)["progress"] or {}).get("step", 0)


def test_stopping_leaves_nothing_and_loses_nothing(box: EmbeddedBox) -> None:
    with box.client() as client:
        job = client.submit(LONG)["id"]
        until(lambda: _step(client, job) > 5, "a few steps")
    assert box.stop() == 0
    assert processes_of(box.home) == {}
    box.start()
    with box.client() as client:
        client.cancel(job)
        ended = client.wait(job, timeout_seconds=PATIENCE_SECONDS)
        assert ended["state"] == "cancelled"
        assert ended["attempts"][0]["outcome"] == "drained"
    assert box.stop() == 0
    assert processes_of(box.home) == {}
