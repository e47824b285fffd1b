"""The box on its embedded default, as `make up` starts it in a fresh clone."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from box.processes import processes_of, read_pid_file
from tests.e2e.complete_job import SPEC, check_complete_job
from tests.e2e.conftest import (
    ROOT,
    TIMEOUT_SECONDS,
    EmbeddedBox,
    free_port,
    started_box,
    wait_until,
)
from trainshed import ApiError, Client, Unreachable

pytestmark = pytest.mark.e2e

#: Takes a moment.
QUICK = {"dataset": "digits", "architecture": "linear", "training": {"epochs": 1}}
#: Runs until it is cancelled.
LONG = {**SPEC, "training": {"epochs": 10_000, "batch_size": 32}}


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBox]:
    """A box that these tests kill, stop and start."""
    with started_box(tmp_path_factory.mktemp("a box with spaces")) as started:
        yield started


def _command(box: EmbeddedBox, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trainshed", *arguments],
        cwd=ROOT,
        env=box.environment | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_complete_job_on_the_embedded_box(box: EmbeddedBox, tmp_path: Path) -> None:
    with box.client() as client:
        job = check_complete_job(client, tmp_path)
    artifacts = box.home / "mlflow" / "artifacts" / _mlflow_run_id(box, job["id"]) / "artifacts"
    weights = artifacts / "checkpoints" / "best_val_loss" / "weights.safetensors"
    wait_until(weights.exists, "the checkpoint in MLflow's store")
    assert weights.stat().st_nlink > 1, "MLflow's checkpoint is no hard link"


def _mlflow_run_id(box: EmbeddedBox, job_id: str) -> str:
    with box.client() as client:
        return client.get(job_id)["mlflow_run_id"]


def test_only_its_owner_can_read_the_key(box: EmbeddedBox) -> None:
    assert (box.home / "key").stat().st_mode & 0o777 == 0o600


def test_only_the_api_listens_on_a_port_and_only_locally(box: EmbeddedBox) -> None:
    descriptors = set[str]().union(*map(_descriptors, processes_of(box.home)))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in descriptors}
    assert listening == {f"0100007F:{box.port:04X}"}


def _descriptors(pid: int) -> set[str]:
    """Return the targets of a process's file descriptors; nothing once the process is gone."""
    targets = set()
    with suppress(OSError):
        for path in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                targets.add(str(path.readlink()))
    return targets


def test_the_api_does_not_load_torch_and_stays_small(box: EmbeddedBox) -> None:
    pid = next(pid for pid, command in processes_of(box.home).items() if "-m api" in command)
    maps = Path(f"/proc/{pid}/maps").read_text()
    assert "torch" not in maps
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    assert int(resident.split()[1]) * 1024 < 200e6


def test_no_environment_contains_the_key(box: EmbeddedBox) -> None:
    key = (box.home / "key").read_text().strip()
    for pid in processes_of(box.home):
        with suppress(OSError):  # a runner has ended meanwhile
            assert key.encode() not in Path(f"/proc/{pid}/environ").read_bytes()


class TestCommandLine:
    def test_submit_and_follow_exits_with_the_job_s_exit_code(
        self, box: EmbeddedBox, tmp_path: Path
    ) -> None:
        path = tmp_path / "spec.json"
        path.write_text(
            '{"dataset": "digits", "architecture": "linear", "training": {"epochs": 1}}'
        )
        done = _command(box, "submit", str(path), "--follow")
        assert done.returncode == 0, done.stderr
        assert "best_val_loss" in done.stdout
        assert "\x1b" not in done.stdout, "the output has colours although it is no terminal"
        job = done.stdout.split()[0]
        for command in ("show", "metrics", "top-k", "checkpoints", "logs"):
            shown = _command(box, command, job)
            assert shown.returncode == 0, shown.stderr
            assert shown.stdout

    def test_a_failed_job_is_exit_code_1(self, box: EmbeddedBox, tmp_path: Path) -> None:
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

    def test_an_unknown_job_is_exit_code_4_and_an_unreachable_service_5(
        self, box: EmbeddedBox
    ) -> None:
        assert _command(box, "show", "job_nothing").returncode == 4
        unreachable = _command(box, "--url", "http://127.0.0.1:1", "list")
        assert unreachable.returncode == 5
        assert "No service answers" in unreachable.stderr

    def test_listings_can_be_printed_as_json(self, box: EmbeddedBox) -> None:
        for command in ("list", "datasets"):
            done = _command(box, command, "--json")
            assert done.stdout.startswith("[")


def test_a_part_that_is_killed_is_started_again(box: EmbeddedBox) -> None:
    pid = next(pid for pid, command in processes_of(box.home).items() if "-m api" in command)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: pid not in processes_of(box.home), "its exit")
    wait_until(lambda: _answers(box), "a new API process")


def _answers(box: EmbeddedBox) -> bool:
    with box.client() as client, suppress(ApiError, Unreachable):
        return bool(client.presets())
    return False


def _refused(environment: dict[str, str]) -> str:
    """Return what `box up` prints when it refuses to start."""
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


def test_a_second_box_with_the_same_home_or_port_is_refused(
    box: EmbeddedBox, tmp_path: Path
) -> None:
    assert "already" in _refused(box.environment | {"TRAINSHED_PORT": str(free_port())})
    other = {"TRAINSHED_HOME": str(tmp_path / "other")}
    assert "TRAINSHED_PORT" in _refused(box.environment | other)


@pytest.mark.long
def test_two_boxes_with_different_homes_do_not_affect_each_other(
    box: EmbeddedBox, tmp_path: Path
) -> None:
    second_box = EmbeddedBox(tmp_path / "second", free_port())
    second_box.start()
    try:
        with box.client() as first, second_box.client() as second:
            jobs = [client.submit(QUICK)["id"] for client in (first, second)]
            for client, job in zip((first, second), jobs, strict=True):
                assert client.wait(job, timeout_seconds=TIMEOUT_SECONDS)["state"] == "succeeded"
            assert [job["id"] for job in second.jobs()] == jobs[1:]
            assert jobs[1] not in {job["id"] for job in first.jobs()}
            _check_key_is_refused(first, second_box)
        assert not processes_of(box.home).keys() & processes_of(second_box.home).keys()
        before = _parts(box)
    finally:
        assert second_box.stop() == 0
    assert processes_of(second_box.home) == {}
    assert None not in before.values()
    assert _parts(box) == before
    ready = httpx.get(f"http://127.0.0.1:{box.port}/readyz")
    assert ready.status_code == 200, ready.text
    with box.client() as first:
        again = first.submit(QUICK)["id"]
        assert first.wait(again, timeout_seconds=TIMEOUT_SECONDS)["state"] == "succeeded"


def _check_key_is_refused(client: Client, other: EmbeddedBox) -> None:
    """Check that a box refuses the key of another box."""
    key = str(client.http.headers["Authorization"])
    answer = httpx.get(f"http://127.0.0.1:{other.port}/v1/jobs", headers={"Authorization": key})
    assert answer.status_code == 401


def _parts(box: EmbeddedBox) -> dict[str, int | None]:
    """Return the process id of each part; None if the part has ended."""
    return {path.stem: read_pid_file(path) for path in (box.home / "run").glob("*.pid")}


def test_after_a_killed_supervisor_the_runner_is_adopted_and_the_parts_are_replaced(
    box: EmbeddedBox,
) -> None:
    with box.client() as client:
        job = client.submit(LONG)["id"]
        wait_until(lambda: _step(client, job) > 0, "the first step")
        assert box.process is not None
        before = processes_of(box.home)
        runner = next(
            pid for pid, command in before.items() if "worker.runner" in command and _has_lock(pid)
        )
        box.process.kill()
        box.process.communicate()
        box.start()
        assert runner in processes_of(box.home)
        # Tracking starts last, after the box is ready.
        wait_until(lambda: _count_parts(box) == dict.fromkeys(PARTS, 1), "one process of each part")
        step = _step(client, job)
        wait_until(lambda: _step(client, job) > step, "a further step")
        client.cancel(job)
        ended = client.wait(job, timeout_seconds=TIMEOUT_SECONDS)
        assert (ended["state"], ended["attempt"]) == ("cancelled", 1)
        assert runner not in processes_of(box.home)


PARTS = ("-m api", "-m worker ", "worker.sidecar", "worker.tracking", "valkey-server")


def _count_parts(box: EmbeddedBox) -> dict[str, int]:
    """Return the number of processes of each part, without its forks."""
    running = {pid: f"{command} " for pid, command in processes_of(box.home).items()}
    commands = [text for pid, text in running.items() if running.get(_parent(pid)) != text]
    return {part: sum(part in command for command in commands) for part in PARTS}


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _has_lock(pid: int) -> bool:
    """Return whether a runner has a job: it keeps the job's lock file open."""
    return any("job_" in path for path in _descriptors(pid))


def _step(client: Client, job: str) -> int:
    return (client.get(job)["progress"] or {}).get("step", 0)


def test_stopping_leaves_no_process_and_loses_no_job(box: EmbeddedBox) -> None:
    with box.client() as client:
        job = client.submit(LONG)["id"]
        wait_until(lambda: _step(client, job) > 5, "a few steps")
    assert box.stop() == 0
    assert processes_of(box.home) == {}
    box.start()
    with box.client() as client:
        client.cancel(job)
        ended = client.wait(job, timeout_seconds=TIMEOUT_SECONDS)
        assert ended["state"] == "cancelled"
        assert ended["attempts"][0]["outcome"] == "drained"
    assert box.stop() == 0
    assert processes_of(box.home) == {}
