"""The command of the check, on a machine without a GPU and with a rehearsal on the CPU."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from benchmarks.boxes import ROOT
from benchmarks.gpu import card
from benchmarks.gpu.parts import PARTS


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "scripts" / "gpu-check"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _has_card() -> bool:
    try:
        card.find_card()
    except card.NoCard:
        return False
    return True


def test_the_parts_are_those_of_the_documentation() -> None:
    parts = ["training", "exactness", "latency", "devices", "memory", "analyses", "options"]
    assert list(PARTS) == parts
    page = (ROOT / "docs" / "gpu-check.md").read_text()
    assert [name for name in PARTS if f"| `{name}` |" not in page] == []


@pytest.mark.skipif(_has_card(), reason="this machine has a GPU")
def test_without_a_gpu_it_says_so_in_one_line_and_succeeds() -> None:
    done = _run()
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert line.startswith("Nothing to check: ")
    assert "GPU" in line


def test_an_unknown_part_is_refused_with_the_names_of_all() -> None:
    done = _run("trainin")
    assert done.returncode == 2
    assert "unknown: trainin. The parts are training, exactness, latency" in done.stderr


def test_a_directory_that_is_no_pack_is_refused(tmp_path: Path) -> None:
    done = _run("--packed", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == f"{tmp_path} has no site.tar.xz: scripts/gpu-pack makes it.\n"


def test_a_rehearsal_on_the_cpu_writes_the_page(tmp_path: Path) -> None:
    done = _run("--device", "cpu", "--out", str(tmp_path), "options")
    assert done.returncode == 0, done.stdout + done.stderr
    (page,), (numbers,) = tmp_path.glob("gpu-cpu-*.md"), tmp_path.glob("gpu-cpu-*.json")
    results = json.loads(numbers.read_text())["results"]
    assert "small network, batch 32, channels-last" in page.read_text()
    assert [result["value"] > 0 for result in results] == [True] * len(results)


def test_a_part_without_time_is_reported(tmp_path: Path) -> None:
    done = _run("--device", "cpu", "--out", str(tmp_path), "--limit", "0", "options")
    assert done.returncode == 1
    assert "| options | stopped before its end (no time was left) |" in done.stdout


def test_python_may_be_any(tmp_path: Path) -> None:
    command = [str(ROOT / "scripts" / "gpu-check"), "--help"]
    environment = os.environ | {"PYTHON": str(ROOT / ".venv" / "bin" / "python")}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path
    )
    assert done.returncode == 0
    assert "scripts/gpu-check" in done.stdout
