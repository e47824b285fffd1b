"""The locks of the house: who may know whom."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "core", "base", "tools"}


def _loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return set(json.loads(printed.splitlines()[-1]))


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_the_api_loads_neither_torch_nor_mlflow_nor_numpy() -> None:
    loaded = _loaded_by("import api.app")
    assert loaded & {"torch", "mlflow", "numpy", "worker", "sklearn", "PIL"} == set()


def test_the_worker_s_main_process_loads_no_torch() -> None:
    loaded = _loaded_by("import worker.app, worker.dispatch.dispatcher")
    assert loaded & {"torch", "mlflow", "fastapi", "api"} == set()


def test_the_supervisor_loads_only_what_is_shared() -> None:
    loaded = _loaded_by("import box.__main__")
    assert loaded & {"torch", "mlflow", "fastapi", "api", "worker", "trainshed"} == set()


@pytest.mark.parametrize(
    "module",
    sorted(
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for path in (ROOT / "shared").glob("*.py")
        if path.stem != "__init__"
    ),
)
def test_every_module_of_shared_serves_both_sides(module: str) -> None:
    """Directly, or through another module of `shared` that it uses.

    `shared.jobs` counts as a whole: it holds all the SQL of a job's life, from both ends.
    """
    used: dict[str, set[str]] = {
        side: set().union(*(_imports(path) for path in (ROOT / side).rglob("*.py")))
        for side in ("api", "worker")
    }
    inside = {
        path: _imports(path)
        for path in (ROOT / "shared").rglob("*.py")
        if "migrations" not in path.parts
    }
    for side, names in used.items():
        reached, before = names, set()
        while reached != before:
            before = reached
            reached = reached.union(
                *(
                    imports
                    for path, imports in inside.items()
                    if path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") in before
                )
            )
        used[side] = reached
    assert [side for side, names in used.items() if module not in names] == []


def test_no_module_is_a_drawer() -> None:
    rooms = ("api", "box", "shared", "trainshed", "worker")
    names = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    assert [str(path) for path in names if path.stem in DRAWERS] == []


def test_the_entry_points_are_tables_of_contents() -> None:
    for name in ("api/app.py", "worker/app.py"):
        assert len((ROOT / name).read_text().splitlines()) < 80, name


def test_no_file_names_a_machine_or_a_registry() -> None:
    words = ["/" + "work/", ".." + "/shared", "/root" + "/", "pypi" + ".org", "pytorch" + ".org"]
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    guilty = []
    for name in filter(None, listed):
        path = ROOT / name
        if path.suffix in {".png", ".npz"} or not path.is_file():
            continue
        text = path.read_text(errors="replace")
        guilty += [f"{name}: {word}" for word in words if word in text]
    assert guilty == []
