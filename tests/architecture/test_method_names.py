"""A method's knowledge lives in its file: no other file compares its name."""

import ast
from collections.abc import Iterator
from pathlib import Path

from shared import catalog

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "box", "shared", "worker")


#: The step counter of torch's optimizers has the name of a schedule.
EXEMPT = {("worker/training/optimizer_state.py", "step")}


def _methods() -> set[str]:
    loaded = catalog.load()
    return {name for slot in catalog.SLOTS for name in loaded[slot]}


def _compared(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the texts that a file compares with, or matches."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare):
            for part in (node.left, *node.comparators):
                yield from _texts(part)
        elif isinstance(node, ast.MatchValue):
            yield from _texts(node.value)


def _texts(node: ast.AST) -> Iterator[tuple[int, str]]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.lineno, part.value


def test_no_file_compares_the_name_of_another_file_s_method() -> None:
    methods = _methods()
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, text in _compared(path)
        if text in methods and path.stem != text
        if (path.relative_to(ROOT).as_posix(), text) not in EXEMPT
    ]
    assert found == []


def test_no_function_is_excused_from_using_its_parameters() -> None:
    excused = [
        str(path.relative_to(ROOT))
        for package in (*PACKAGES, "trainshed")
        for path in (ROOT / package).rglob("*.py")
        if "noqa: ARG001" in path.read_text()
    ]
    assert excused == []
