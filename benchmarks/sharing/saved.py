"""Results that were computed before, so that a stopped benchmark continues where it was."""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.boxes import ROOT

#: What decides the results.
SOURCES = (
    "benchmarks/sharing/*.py",
    "shared/jobs/planning/[!f]*.py",  # without the forecast
    "shared/jobs/usage.py",
    "worker/dispatch/interference.py",
    "worker/dispatch/occupancy.py",
)

Value = TypeVar("Value")


class Saved:
    """Results by name, each a line of a file as soon as it is there.

    Args:
        path: of the file, which is made.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._known: dict[str, Any] = {}
        if path.exists():
            # A line without an end was being written when the benchmark was stopped.
            lines = [
                line for line in path.read_text().splitlines(keepends=True) if line[-1] == "\n"
            ]
            path.write_text("".join(lines))
            self._known = dict(json.loads(line) for line in lines)

    @classmethod
    def of_code(cls, folder: Path = ROOT / "home" / "benchmarks") -> "Saved":
        """Return the results that the present code has given."""
        return cls(folder / f"sharing-{_digest(SOURCES)}.jsonl")

    def get(self, name: str, compute: Callable[[], Value]) -> Value:
        """Return a result that JSON can hold; compute it if it is not there."""
        if name not in self._known:
            self._known[name] = compute()
            with self._path.open("a") as file:
                file.write(json.dumps([name, self._known[name]]) + "\n")
        return self._known[name]


def _digest(patterns: Iterable[str]) -> str:
    files = sorted(path for pattern in patterns for path in ROOT.glob(pattern))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
