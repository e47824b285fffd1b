"""The presets: one file of JSON each in `lessons/`, in the order in which they are taught."""

import json
import re
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

LESSONS = Path(__file__).parent / "lessons"
_FILE = re.compile(r"\d\d-([a-z][a-z0-9-]*)\.json")


@dataclass(frozen=True)
class Preset:
    """A specification, and what it teaches."""

    name: str
    title: str
    teaches: str
    #: What to look at when it has run.
    look_at: str
    spec: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return {"id": self.name, "object": "preset", **asdict(self)}


@cache
def presets() -> dict[str, Preset]:
    """Every preset by its name."""
    found: dict[str, Preset] = {}
    for path in sorted(LESSONS.glob("*.json")):
        named = _FILE.fullmatch(path.name)
        if named is None:
            raise ValueError(f"{path.name} is named unlike a lesson: take NN-some-name.json")
        found[named[1]] = Preset(name=named[1], **json.loads(path.read_text()))
    return found
