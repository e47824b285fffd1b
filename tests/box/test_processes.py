import signal
import subprocess
import sys
from pathlib import Path

from box.processes import end, read_pid_file, start_ticks, write_pid_file


def _sleeping_process(*, ignores_sigterm: bool = False) -> subprocess.Popen[bytes]:
    code = "import signal, time\n"
    if ignores_sigterm:
        code += "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    code += "print(flush=True)\ntime.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_pid_file_names_a_process_while_it_runs(tmp_path: Path) -> None:
    process = _sleeping_process()
    path = tmp_path / "part.pid"
    write_pid_file(path, process.pid)
    assert read_pid_file(path) == process.pid
    process.kill()
    process.communicate()
    assert read_pid_file(path) is None


def test_reused_process_id_is_another_process(tmp_path: Path) -> None:
    process = _sleeping_process()
    path = tmp_path / "part.pid"
    write_pid_file(path, process.pid)
    pid, _, boot_id = path.read_text().split()
    path.write_text(f"{pid} 1 {boot_id}\n")
    assert read_pid_file(path) is None
    process.kill()
    process.communicate()


def test_process_of_an_earlier_boot_is_another_process(tmp_path: Path) -> None:
    process = _sleeping_process()
    path = tmp_path / "part.pid"
    write_pid_file(path, process.pid)
    pid, ticks, _ = path.read_text().split()
    path.write_text(f"{pid} {ticks} another-boot\n")
    assert read_pid_file(path) is None
    process.kill()
    process.communicate()


def test_damaged_or_missing_pid_file_names_no_process(tmp_path: Path) -> None:
    path = tmp_path / "part.pid"
    assert read_pid_file(path) is None
    path.write_text("half a li")
    assert read_pid_file(path) is None


def test_process_that_ignores_sigterm_is_killed_after_the_grace() -> None:
    process = _sleeping_process(ignores_sigterm=True)
    end(process.pid, grace_seconds=0.3)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_process_that_ends_within_the_grace_is_not_killed() -> None:
    process = _sleeping_process()
    end(process.pid, grace_seconds=20)
    process.communicate()
    assert process.returncode == -signal.SIGTERM
    assert start_ticks(process.pid) is None
