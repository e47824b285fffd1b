"""Locks exclude between processes and go with the process that held them."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.settings import Settings
from worker.locks import Lock, device_lock, holder_pid, is_held, job_lock, worker_lock

HOLD = """
import sys, time
from pathlib import Path
from worker.locks import Lock
lock = Lock(Path(sys.argv[1]))
assert lock.acquire()
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

    assert first.acquire()
    assert first.acquire(), "taking what one holds is no conflict"
    assert not second.acquire()
    assert is_held(second)
    first.release()
    first.release()
    assert not is_held(second)
    assert second.acquire()
    second.release()


def test_asking_whether_a_lock_is_held_neither_makes_nor_takes_it(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "a.lock")

    assert not is_held(lock)
    assert not lock.path.exists()
    assert holder_pid(lock) is None
    assert lock.acquire()
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
        assert not lock.acquire(timeout_seconds=0.1)
        assert holder_pid(lock) == process.pid
        process.kill()

    assert lock.acquire(timeout_seconds=1)
    assert holder_pid(lock) == os.getpid()
    lock.release()


@pytest.mark.parametrize("content", ["", "no number", "12\x00"])
def test_a_file_that_names_no_process_has_no_holder(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.lock"
    path.write_text(content)

    assert holder_pid(Lock(path)) is None


def test_jobs_devices_and_workers_have_locks_of_their_own(settings: Settings) -> None:
    names = ("cpu-0", "cpu-1")
    paths = {lock(settings, name).path for lock in (job_lock, worker_lock) for name in names}
    paths |= {device_lock(settings, name, "").path for name in names}

    assert len(paths) == 6
    assert {path.parent for path in paths} == {settings.locks}


@pytest.mark.parametrize("name", ["cuda:0", "../../etc/passwd", "a/b", "ein Rechner"])
def test_no_name_leads_out_of_the_directory_of_locks(settings: Settings, name: str) -> None:
    made = (device_lock(settings, name, ""), device_lock(settings, "cuda:0", name))
    for lock in (*made, worker_lock(settings, name)):
        assert lock.path.resolve().parent == settings.locks
        assert lock.acquire()
        lock.release()


def test_a_gpu_goes_by_its_uuid_since_each_container_calls_its_own_the_first(
    settings: Settings,
) -> None:
    mine, another = (device_lock(settings, "cuda:0", uuid) for uuid in ("GPU-1", "GPU-2"))
    renamed = device_lock(settings, "cuda:3", "GPU-1")

    assert mine.acquire()
    assert another.acquire()
    assert not renamed.acquire()
    mine.release()
    another.release()


def test_a_lock_that_cannot_name_its_holder_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = Lock(tmp_path / "a.lock")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            lock.acquire()
    assert not is_held(lock)
    assert lock.acquire(), "there is room again"
    lock.release()
