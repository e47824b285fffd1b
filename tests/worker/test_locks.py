"""Locks exclude between processes and go with the process that held them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.settings import Settings
from worker.locks import Lock, device_lock, holder, is_held, job_lock, worker_lock

HOLD = """
import sys, time
from pathlib import Path
from worker.locks import Lock
lock = Lock(Path(sys.argv[1]))
assert lock.take()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path)
    made.make_directories()
    return made


def test_only_one_takes_a_lock_and_another_does_once_it_is_given_back(tmp_path: Path) -> None:
    first, second = Lock(tmp_path / "a.lock"), Lock(tmp_path / "a.lock")

    assert first.take()
    assert first.take(), "taking what one holds is no conflict"
    assert not second.take()
    assert is_held(second)
    first.release()
    first.release()
    assert not is_held(second)
    assert second.take()
    second.release()


def test_asking_whether_a_lock_is_held_neither_makes_nor_takes_it(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "a.lock")

    assert not is_held(lock)
    assert not lock.path.exists()
    assert holder(lock) is None
    assert lock.take()
    lock.release()
    assert not is_held(lock)
    assert not is_held(lock)


def test_a_lock_goes_with_the_process_that_was_killed(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "a.lock")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock.path)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert is_held(lock)
        assert not lock.take(patience_seconds=0.1)
        assert holder(lock) == process.pid
        process.kill()

    assert lock.take(patience_seconds=1)
    assert holder(lock) == os.getpid()
    lock.release()


@pytest.mark.parametrize("content", ["", "no number", "12\x00"])
def test_a_file_that_names_no_process_has_no_holder(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.lock"
    path.write_text(content)

    assert holder(Lock(path)) is None


def test_jobs_devices_and_workers_have_locks_of_their_own(settings: Settings) -> None:
    paths = {
        lock(settings, name).path
        for lock in (job_lock, device_lock, worker_lock)
        for name in ("cpu-0", "cpu-1")
    }

    assert len(paths) == 6
    assert {path.parent for path in paths} == {settings.locks}


@pytest.mark.parametrize("name", ["cuda:0", "../../etc/passwd", "a/b", "ein Rechner"])
def test_no_name_leads_out_of_the_directory_of_locks(settings: Settings, name: str) -> None:
    for lock in (device_lock(settings, name), worker_lock(settings, name)):
        assert lock.path.resolve().parent == settings.locks
        assert lock.take()
        lock.release()
