"""Locks exclude other processes and are released when their holder exits."""

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


def test_a_lock_has_one_holder_until_it_is_released(tmp_path: Path) -> None:
    first, second = Lock(tmp_path / "a.lock"), Lock(tmp_path / "a.lock")

    assert first.acquire()
    assert first.acquire(), "acquiring a lock again is no conflict"
    assert not second.acquire()
    assert is_held(second)
    first.release()
    first.release()
    assert not is_held(second)
    assert second.acquire()
    second.release()


def test_checking_a_lock_neither_creates_nor_acquires_it(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "a.lock")

    assert not is_held(lock)
    assert not lock.path.exists()
    assert holder_pid(lock) is None
    assert lock.acquire()
    lock.release()
    assert not is_held(lock)
    assert not is_held(lock)


def test_a_lock_is_released_when_its_holder_is_killed(tmp_path: Path) -> None:
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
def test_a_file_without_a_process_id_has_no_holder(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.lock"
    path.write_text(content)

    assert holder_pid(Lock(path)) is None


def test_jobs_devices_and_workers_have_separate_locks(settings: Settings) -> None:
    names = ("cpu-0", "cpu-1")
    paths = {lock(settings, name).path for lock in (job_lock, worker_lock) for name in names}
    paths |= {device_lock(settings, name, "").path for name in names}

    assert len(paths) == 6
    assert {path.parent for path in paths} == {settings.locks}


@pytest.mark.parametrize("name", ["cuda:0", "../../etc/passwd", "a/b", "my machine"])
def test_no_name_leads_out_of_the_lock_directory(settings: Settings, name: str) -> None:
    locks = (device_lock(settings, name, ""), device_lock(settings, "cuda:0", name))
    for lock in (*locks, worker_lock(settings, name)):
        assert lock.path.resolve().parent == settings.locks
        assert lock.acquire()
        lock.release()


def test_a_gpu_is_identified_by_its_uuid(
    settings: Settings,
) -> None:
    mine, another = (device_lock(settings, "cuda:0", uuid) for uuid in ("GPU-1", "GPU-2"))
    renamed = device_lock(settings, "cuda:3", "GPU-1")

    assert mine.acquire()
    assert another.acquire()
    assert not renamed.acquire()
    mine.release()
    another.release()


def test_a_lock_that_cannot_store_its_holder_is_released(
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
    assert lock.acquire(), "the disk has room again"
    lock.release()


def test_runners_share_a_device_but_not_with_a_runner_that_has_it_alone(settings: Settings) -> None:
    first, second = (device_lock(settings, "cuda:0", "GPU-1", is_shared=True) for _ in range(2))
    alone = device_lock(settings, "cuda:0", "GPU-1")
    assert first.acquire()
    assert second.acquire()
    assert not alone.acquire()
    first.release()
    assert is_held(alone)
    second.release()
    assert alone.acquire()
    assert not first.acquire()
    alone.release()
