"""What set-up asks for, with a virtual environment that only notes what it is told."""

import os
import re
import stat
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAND_IN = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >> "$NOTES"
[ "$1" = - ] && cat >/dev/null
exit 0
"""


def _asked(directory: Path, **settings: str) -> list[str]:
    """The commands that `scripts/setup` runs in the environment it makes."""
    programs = directory / "venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "pip"):
        (programs / name).write_text(STAND_IN)
        (programs / name).chmod(0o755)
    notes = directory / "notes"
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TORCH")}
    subprocess.run(
        [ROOT / "scripts" / "setup", directory / "venv"],
        cwd=ROOT,
        env=clean | {"NOTES": str(notes), "PYTHON": sys.executable} | settings,
        capture_output=True,
        check=True,
    )
    return notes.read_text().splitlines()


def _of_torch(commands: list[str]) -> str:
    (command,) = (one for one in commands if re.search(r" torch==\d", one))
    return command


def test_torch_is_what_pip_finds_unless_a_build_is_named(tmp_path: Path) -> None:
    command = _of_torch(_asked(tmp_path))
    assert command.startswith("pip install")
    assert "index" not in command


def test_the_small_build_of_torch_is_one_word_and_no_address(tmp_path: Path) -> None:
    command = _of_torch(_asked(tmp_path, TORCH="cpu"))
    assert command.startswith("python -m uv pip install")
    assert "--torch-backend cpu torch==" in command


def test_an_index_of_one_s_own_is_asked_where_it_is_given(tmp_path: Path) -> None:
    command = _of_torch(_asked(tmp_path, TORCH_INDEX="file:///wheels"))
    assert "--index-url file:///wheels torch==" in command


@pytest.mark.parametrize(("build", "is_known"), [("cpu", True), ("auto", True), ("gpu", False)])
def test_the_builds_that_the_readme_names_are_known_to_uv(
    build: str, is_known: bool, tmp_path: Path
) -> None:
    nothing = tmp_path / "requirements.txt"
    nothing.touch()
    options = ["--quiet", "--offline", "--dry-run", "--python", sys.executable, "-r", nothing]
    asked = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "--torch-backend", build, *options],
        capture_output=True,
        check=False,
    )
    assert (asked.returncode == 0) is is_known, asked.stderr


class TestTheEnvironment:
    """Made with the Python that is named; nothing is installed, since making it fails."""

    def _set_up(self, directory: Path, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROOT / "scripts" / "setup", directory / "venv"],
            cwd=ROOT,
            env=os.environ | {"PYTHON": sys.executable} | settings,
            capture_output=True,
            text=True,
            check=False,
        )

    def test_a_python_without_ensurepip_is_told_what_to_install(self, tmp_path: Path) -> None:
        """Debian's, without python3-venv: it would leave half an environment."""
        (tmp_path / "ensurepip.py").write_text("raise ModuleNotFoundError('ensurepip')\n")
        done = self._set_up(tmp_path, PYTHONPATH=str(tmp_path))
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        assert done.returncode == 2
        assert f"apt install python{version}-venv" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "venv").exists()

    def test_half_an_environment_is_neither_left_nor_taken_for_a_whole_one(
        self, tmp_path: Path
    ) -> None:
        half = tmp_path / "venv" / "bin"
        half.mkdir(parents=True)
        (half / "python").symlink_to(sys.executable)
        python = tmp_path / "python"
        python.write_text(
            "#!/usr/bin/env bash\n"
            f'[ "$1 $2" = "-m venv" ] || exec {sys.executable} "$@"\n'
            'mkdir -p "${@: -1}/bin" && touch "${@: -1}/bin/python"\n'
            "echo no room on the disk >&2\n"
            "exit 1\n"
        )
        python.chmod(0o755)
        done = self._set_up(tmp_path, PYTHON=str(python))
        assert done.returncode == 1
        assert done.stderr == "no room on the disk\n"
        assert not (tmp_path / "venv").exists()


def test_mlflow_s_pages_before_the_first_start_leave_a_home_that_is_closed_to_others(
    tmp_path: Path,
) -> None:
    server = tmp_path / ".venv-mlflow" / "bin" / "mlflow"
    server.parent.mkdir(parents=True)
    server.write_text("#!/usr/bin/env bash\n")
    server.chmod(0o755)
    (tmp_path / "pyproject.toml").touch()
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TRAINSHED_")}
    home = tmp_path / "box"
    subprocess.run(
        [ROOT / "scripts" / "mlflow"],
        cwd=tmp_path,
        env=clean | {"TRAINSHED_HOME": "~/box", "HOME": str(tmp_path)},
        umask=0o022,
        capture_output=True,
        check=True,
    )
    assert [stat.S_IMODE(one.stat().st_mode) for one in (home, home / "mlflow")] == [0o700, 0o700]


def test_the_command_is_found_in_a_path_with_a_space_and_runs_from_any_directory(
    tmp_path: Path,
) -> None:
    venv = tmp_path / "my checkout" / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    programs = venv / "bin"
    (programs / "real").symlink_to(os.path.realpath(sys.executable))
    (programs / "python").unlink()
    (programs / "python").write_text(
        '#!/usr/bin/env bash\n[ "$1" != - ] || exec "$(dirname "$0")/real" "$@"\n'
    )
    (programs / "pip").touch()
    for name in ("python", "pip"):
        (programs / name).chmod(0o755)
    command = [ROOT / "scripts" / "setup", venv]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHON": sys.executable}, check=True)
    (tmp_path / "json.py").write_text("raise SystemExit('a file of the user is imported')\n")
    done = subprocess.run(
        [programs / "trainshed", "--help"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": sysconfig.get_path("purelib")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: trainshed [OPTIONS]")
