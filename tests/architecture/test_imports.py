"""Who may import whom. The rest is in import-linter's contracts in pyproject.toml."""

import ast
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "box", "shared", "trainshed", "worker")


def _loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return set(json.loads(printed.splitlines()[-1]))


@cache
def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_api_loads_neither_torch_nor_mlflow_nor_numpy() -> None:
    loaded = _loaded_by("import api.app")
    assert loaded & {"torch", "mlflow", "numpy", "worker", "sklearn", "PIL"} == set()


def test_worker_main_process_loads_no_torch() -> None:
    loaded = _loaded_by("import worker.app, worker.dispatch.dispatcher")
    assert loaded & {"torch", "mlflow", "fastapi", "api"} == set()


def test_a_box_with_sqlite_loads_no_psycopg() -> None:
    loaded = _loaded_by("import api.app, worker.app, worker.dispatch.dispatcher, worker.runner")
    assert "psycopg" not in loaded


def test_supervisor_loads_shared_only() -> None:
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
def test_module_of_shared_is_used_by_both_sides(module: str) -> None:
    """Check direct imports and imports through other modules of `shared`."""
    assert [side for side in ("api", "worker") if module not in _used_by(side)] == []


@cache
def _used_by(side: str) -> set[str]:
    """Return what a package imports, also through modules of `shared`."""
    inside = {
        _name(path): _imports(path)
        for path in (ROOT / "shared").rglob("*.py")
        if "migrations" not in path.parts
    }
    reached: set[str] = set().union(*(_imports(path) for path in (ROOT / side).rglob("*.py")))
    before = set[str]()
    while reached != before:
        before = reached
        reached = before.union(*(inside[name] for name in before & inside.keys()))
    return reached


def _name(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")


def test_no_import_cycle_not_even_for_typing() -> None:
    modules = {
        _name(path).removesuffix(".__init__"): path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
    }
    graph = {
        name: (_imports(path) & set(modules)) - {name, name.rpartition(".")[0]}
        for name, path in modules.items()
    }
    assert _cycles(graph) == []


def _cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the modules that are left after those without imports are removed repeatedly."""
    remaining = dict(graph)
    while leaves := [name for name, imports in remaining.items() if not imports & set(remaining)]:
        for name in leaves:
            del remaining[name]
    importers = {name: {n for n in remaining if name in remaining[n]} for name in remaining}
    while roots := [name for name in importers if not importers[name] & set(importers)]:
        for name in roots:
            del importers[name]
    return [sorted(importers)] if importers else []


def test_cycle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set[str]()}
    assert _cycles(graph) == [["b", "c"]]
