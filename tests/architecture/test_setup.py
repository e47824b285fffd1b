"""`scripts/setup` and `scripts/mlflow`, in environments that only record their commands."""

import os
import re
import stat
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import trainshed
from api import app

ROOT = Path(__file__).parents[2]
#: Records its command; installs nothing, and fails like $UV_ERROR where uv is to install torch.
RECORDER = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >> "$RECORD"
[ "$1" = - ] && cat >/dev/null
case "$*" in
  *torch-backend*) if [ -n "${UV_ERROR:-}" ]; then printf '%s\\n' "$UV_ERROR" >&2; exit 2; fi ;;
esac
exit 0
"""
#: What uv prints where the name of PyTorch's index cannot be resolved.
NO_CONNECTION = """error: Request failed after 3 retries in 12.8s
  cause: Failed to fetch: https://index.example/whl/cpu/torch/
  cause: error sending request for url (https://index.example/whl/cpu/torch/)
  cause: client error (Connect)
  cause: dns error"""


def _set_up(directory: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `scripts/setup` in an environment that records its commands in `directory`/record."""
    programs = directory / "venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "pip"):
        (programs / name).write_text(RECORDER)
        (programs / name).chmod(0o755)
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TORCH")}
    return subprocess.run(
        [ROOT / "scripts" / "setup", directory / "venv"],
        cwd=ROOT,
        env=clean | {"RECORD": str(directory / "record"), "PYTHON": sys.executable} | settings,
        capture_output=True,
        text=True,
        check=False,
    )


def _torch_command(directory: Path, **settings: str) -> str:
    """Return the command by which `scripts/setup` installs torch."""
    assert _set_up(directory, **settings).returncode == 0
    commands = (directory / "record").read_text().splitlines()
    (command,) = (command for command in commands if re.search(r" torch==\d", command))
    return command


class TestTorch:
    def test_pip_chooses_the_build_unless_one_is_named(self, tmp_path: Path) -> None:
        command = _torch_command(tmp_path)
        assert command.startswith("pip install")
        assert "index" not in command

    def test_a_build_is_named_without_an_address(self, tmp_path: Path) -> None:
        command = _torch_command(tmp_path, TORCH="cpu")
        assert command.startswith("python -m uv pip install")
        assert "--torch-backend cpu torch==" in command

    @pytest.mark.parametrize("build", [{}, {"TORCH": "cpu"}])
    def test_a_named_index_takes_precedence(self, build: dict[str, str], tmp_path: Path) -> None:
        command = _torch_command(tmp_path, TORCH_INDEX="file:///wheels", **build)
        assert "--index-url file:///wheels torch==" in command

    @pytest.mark.parametrize(("build", "is_known"), [("cpu", True), ("auto", True), ("gpu", False)])
    def test_uv_knows_the_builds_that_the_readme_names(
        self, build: str, is_known: bool, tmp_path: Path
    ) -> None:
        requirements = tmp_path / "requirements.txt"
        requirements.touch()
        options = ["--quiet", "--offline", "--dry-run", "--python", sys.executable]
        done = subprocess.run(
            [
                *(sys.executable, "-m", "uv", "pip", "install", "--torch-backend", build),
                *(*options, "-r", requirements),
            ],
            capture_output=True,
            check=False,
        )
        assert (done.returncode == 0) is is_known, done.stderr

    def test_an_unreachable_index_is_one_sentence_with_what_to_do(self, tmp_path: Path) -> None:
        done = _set_up(tmp_path, TORCH="cpu", UV_ERROR=NO_CONNECTION)
        assert done.returncode != 0
        (line,) = done.stderr.splitlines()
        assert line.startswith("TORCH=cpu needs PyTorch's package index, which cannot be reached")
        for remedy in ("TORCH_INDEX=URL", "pip install FILE", "leave out TORCH=cpu"):
            assert remedy in line

    @pytest.mark.parametrize(
        "error",
        [
            "error: Failed to write: No space left on device (os error 28)",
            f"{NO_CONNECTION}\n  cause: invalid peer certificate: UnknownIssuer",
        ],
    )
    def test_another_error_of_uv_is_shown_as_it_is(self, error: str, tmp_path: Path) -> None:
        done = _set_up(tmp_path, TORCH="cpu", UV_ERROR=error)
        assert done.returncode != 0
        assert done.stderr == f"{error}\n"


class TestEnvironment:
    """Creating `.venv` fails in these tests, so nothing is installed."""

    def _create(self, directory: Path, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROOT / "scripts" / "setup", directory / "venv"],
            cwd=ROOT,
            env=os.environ | {"PYTHON": sys.executable} | settings,
            capture_output=True,
            text=True,
            check=False,
        )

    def test_a_python_without_ensurepip_names_the_missing_package(self, tmp_path: Path) -> None:
        """Debian's Python lacks it without python3-venv; it would create half an environment."""
        (tmp_path / "ensurepip.py").write_text("raise ModuleNotFoundError('ensurepip')\n")
        done = self._create(tmp_path, PYTHONPATH=str(tmp_path))
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        assert done.returncode == 2
        assert f"apt install python{version}-venv" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "venv").exists()

    def test_half_an_environment_is_neither_left_behind_nor_used(self, tmp_path: Path) -> None:
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
        done = self._create(tmp_path, PYTHON=str(python))
        assert done.returncode == 1
        assert done.stderr == "no room on the disk\n"
        assert not (tmp_path / "venv").exists()


def test_mlflow_before_the_first_start_creates_a_home_closed_to_other_users(
    tmp_path: Path,
) -> None:
    server = tmp_path / ".venv-mlflow" / "bin" / "mlflow"
    server.parent.mkdir(parents=True)
    server.write_text("#!/usr/bin/env bash\n")
    server.chmod(0o755)
    (server.parent / "python").symlink_to(sys.executable)
    for lock in (tmp_path / "requirements-mlflow.lock", tmp_path / ".venv-mlflow/installed.lock"):
        lock.touch()
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
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (home, home / "mlflow")]
    assert modes == [0o700, 0o700]


def test_the_command_runs_from_any_directory_and_from_a_path_with_a_space(
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
    (tmp_path / "json.py").write_text("raise SystemExit('a file of the user was imported')\n")
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


def test_the_api_has_the_version_of_the_package() -> None:
    assert trainshed.__version__ == app.VERSION
