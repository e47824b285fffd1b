"""What set-up asks for, with a virtual environment that only notes what it is told."""

import os
import re
import subprocess
import sys
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
