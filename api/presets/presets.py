"""The presets: one JSON file each in `lessons/`, numbered in the order of the lessons."""

import json
import re
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from shared import catalog

Kind = Literal["preset", "lesson"]
LESSONS = Path(__file__).parent / "lessons"
_FILE_NAME = re.compile(r"\d\d-([a-z][a-z0-9-]*)\.json")


@dataclass(frozen=True)
class Preset:
    """A specification and what it teaches."""

    name: str
    title: str
    teaches: str
    #: What to look at after the job.
    look_at: str
    spec: dict[str, Any]
    kind: Kind = "preset"
    #: Of a lesson: the healthy specification to compare with.
    twin: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the preset as the API shows it."""
        return {"id": self.name, "object": "preset", **asdict(self)}


@cache
def presets() -> dict[str, Preset]:
    """Return every preset by its name, in the order of the lessons."""
    loaded: dict[str, Preset] = {}
    for path in sorted(LESSONS.glob("*.json")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise ValueError(f"the preset file {path.name} must be named like 01-some-name.json")
        loaded[match[1]] = Preset(name=match[1], **json.loads(path.read_text()))
    return loaded


@cache
def lessons() -> dict[str, Preset]:
    """Return a lesson for each rule of the diagnostics that a specification can show, by its name.

    Its specification has the fault that the rule finds, and its twin differs in the cause alone.
    """
    return {
        name: Preset(
            name=name,
            title=rule["summary"],
            teaches=rule["description"] or "",
            look_at=f"`trainshed findings JOB` shows {name} with its evidence; fork the job with "
            "the first patch, and compare both with the twin.",
            spec={**rule["demo"], "name": name.replace("_", "-")},
            kind="lesson",
            twin={**rule["twin"], "name": f"{name.replace('_', '-')}-twin"},
        )
        for name, rule in catalog.load()["diagnostics"].items()
        if rule.get("demo")
    }
