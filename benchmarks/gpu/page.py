"""The page of a check: Markdown for people and JSON for programs."""

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks.gpu.card import Card
from benchmarks.gpu.result import HEAD, Result
from benchmarks.measurement import machine


@dataclass(frozen=True)
class Page:
    """Where the results of a check are written, each time that a result is added."""

    directory: Path
    #: None on a machine without a GPU.
    card: Card | None

    @property
    def name(self) -> str:
        """Return the name of the files, without the suffix."""
        model = "cpu" if self.card is None else self.card.name
        slug = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")
        return f"gpu-{slug}-{datetime.now(UTC):%Y-%m-%d}"

    def title(self) -> str:
        """Return what was measured with what."""
        versions = f"torch {torch.__version__}"
        if self.card is None:
            return f"no GPU; {versions}; {machine()}"
        card = self.card
        return f"{card.name}, {card.memory_mib} MiB, driver {card.driver}; {versions}; {machine()}"

    def write(self, results: list[Result]) -> None:
        """Write both files."""
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / self.name
        lines = [f"# {self.name}", "", f"`make gpu-check`: {self.title()}", "", HEAD]
        lines += [result.row() for result in results]
        path.with_suffix(".md").write_text("\n".join(lines) + "\n")
        content = {"machine": self.title(), "results": [asdict(result) for result in results]}
        path.with_suffix(".json").write_text(json.dumps(content, indent=1, ensure_ascii=False))
