import signal
import subprocess
import sys
import time
from pathlib import Path

from box.processes import end, recall, remember, started_at


def _sleeper(*, ignoring: bool = False) -> subprocess.Popen[bytes]:
    code = "import signal, time\n"
    if ignoring:
        code += "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    code += "print(flush=True)\ntime.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_a_process_is_recalled_while_it_lives(tmp_path: Path) -> None:
    process = _sleeper()
    path = tmp_path / "part.pid"
    remember(path, process.pid)
    assert recall(path) == process.pid
    process.kill()
    process.communicate()
    assert recall(path) is None


def test_a_number_that_was_used_again_is_another_process(tmp_path: Path) -> None:
    process = _sleeper()
    path = tmp_path / "part.pid"
    remember(path, process.pid)
    number, _, boot = path.read_text().split()
    path.write_text(f"{number} 1 {boot}\n")
    assert recall(path) is None
    process.kill()
    process.communicate()


def test_a_process_of_an_earlier_boot_is_another_one(tmp_path: Path) -> None:
    process = _sleeper()
    path = tmp_path / "part.pid"
    remember(path, process.pid)
    number, started, _ = path.read_text().split()
    path.write_text(f"{number} {started} another-boot\n")
    assert recall(path) is None
    process.kill()
    process.communicate()


def test_a_damaged_or_missing_file_recalls_nothing(tmp_path: Path) -> None:
    path = tmp_path / "part.pid"
    assert recall(path) is None
    path.write_text("half a li")
    assert recall(path) is None


def test_who_ignores_the_wish_is_killed_after_the_grace() -> None:
    process = _sleeper(ignoring=True)
    end(process.pid, grace_seconds=0.3)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_who_obeys_is_not_killed() -> None:
    process = _sleeper()
    end(process.pid, grace_seconds=20)
    process.communicate()
    assert process.returncode == -signal.SIGTERM
    time.sleep(0)
    assert started_at(process.pid) is None
