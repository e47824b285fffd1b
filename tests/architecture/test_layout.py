"""Where files may stand and how long they may be: the tree in CONTRIBUTING."""

import re
from pathlib import Path

import pytest

from tests.architecture.files import ROOT, repository_files

PACKAGES = ("api", "box", "shared", "trainshed", "worker")
MAX_LINES = {**dict.fromkeys(PACKAGES, 300), "tests": 400}
#: Files that stand loose in a package, and the folders next to them.
LAYOUT = {
    "api": (
        "__init__ __main__ app deps errors lifespan openapi",
        """accounts analyses augmentation backup catalog comparison dashboard datasets devices
        findings health http jobs presets prometheus queue reference services weights""",
    ),
    "api/jobs": (
        """__init__ changes control device_memory disk_space estimates fork_schemas forks lookup
        patch_faults polls rendering responses retries router routes schemas service unreadable""",
        "admission history results",
    ),
    "worker": (
        "__init__ __main__ app assignment build catalog limits locks registry tasks",
        """analyses architectures augmentations checker data diagnostics dispatch initializers
        losses optimizers plots regularizers runner schedules sidecar tensorboard tracking
        training""",
    ),
    "worker/runner": (None, "diagnosis results"),
}
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "core", "base", "tools"}


def _modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("folder", LAYOUT)
def test_folder_holds_the_files_of_the_tree(folder: str) -> None:
    files, folders = LAYOUT[folder]
    present = {path.stem for path in (ROOT / folder).glob("*.py")}
    assert files is None or present == set(files.split())
    packages = {path.parent.name for path in (ROOT / folder).glob("*/__init__.py")}
    assert packages == set(folders.split())


@pytest.mark.parametrize("package", MAX_LINES)
def test_no_file_is_too_long(package: str) -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in _modules(package)}
    assert {str(p): n for p, n in lengths.items() if n > MAX_LINES[package]} == {}


def test_build_has_under_200_lines() -> None:
    assert len((ROOT / "worker" / "build.py").read_text().splitlines()) < 200


def test_entry_points_are_tables_of_contents() -> None:
    for name in ("api/app.py", "worker/app.py"):
        assert len((ROOT / name).read_text().splitlines()) < 80, name


def test_no_module_is_a_drawer() -> None:
    names = [path for package in PACKAGES for path in _modules(package)]
    assert [str(path) for path in names if path.stem in DRAWERS] == []


def test_every_test_file_stands_in_the_folder_of_what_it_tests() -> None:
    """Check that `tests/<package>/<folder>` exists in the package as well."""
    folders = {
        path.parent.relative_to(ROOT / "tests")
        for package in PACKAGES
        for path in (ROOT / "tests" / package).rglob("test_*.py")
    }
    assert [str(folder) for folder in sorted(folders) if not (ROOT / folder).is_dir()] == []


def test_contributing_names_files_and_folders_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"`((?:api|worker|shared|tests|docs|benchmarks)/[\w/.-]*)`", text))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_no_file_names_a_machine_or_a_registry() -> None:
    words = ["/" + "work/", ".." + "/shared", "/root" + "/", "pypi" + ".org", "pytorch" + ".org"]
    offending = []
    for name in repository_files():
        path = ROOT / name
        if path.suffix in {".png", ".npz"}:
            continue
        text = path.read_text(errors="replace")
        offending += [f"{name}: {word}" for word in words if word in text]
    assert offending == []
