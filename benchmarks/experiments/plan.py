"""An experiment: specifications that differ in one thing, and what is read from their jobs."""

import hashlib
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.boxes import Box

#: A finished job → a figure; None where it has none.
Read = Callable[[Box, dict[str, Any]], float | None]


@dataclass(frozen=True)
class Column:
    """One figure of every job."""

    title: str
    read: Read
    #: How a figure is written.
    form: str = ".4f"


@dataclass(frozen=True)
class Plan:
    """What is run, and what it is to show."""

    name: str
    title: str
    #: What is asked, for the reader of the table.
    question: str
    #: What differs, by its name in the table.
    rows: dict[str, dict[str, Any]]
    seeds: Sequence[int]
    columns: Sequence[Column]


def run(plan: Plan, box: Box, say: Callable[[str], None]) -> list[str]:
    """Run what has not been run yet; return the table's lines.

    Submissions carry a key of their content: a job that the box knows is not run again.
    """
    jobs = {
        (label, seed): box.submit({**spec, "seed": seed}, key=_key(plan, label, seed, spec))["id"]
        for seed in plan.seeds
        for label, spec in plan.rows.items()
    }
    figures: dict[str, list[list[float | None]]] = {label: [] for label in plan.rows}
    for (label, seed), job_id in jobs.items():
        job = box.finish(job_id, any_end=True)
        if job["state"] != "succeeded":
            kind = (job["failure"] or {}).get("kind", job["state"])
            say(f"{plan.name}: {label}, seed {seed}: {kind}")
            figures[label].append([None for _ in plan.columns])
            continue
        found = [column.read(box, job) for column in plan.columns]
        figures[label].append(found)
        shown = ", ".join(
            f"{column.title} {_written(column, [value])}"
            for column, value in zip(plan.columns, found, strict=True)
        )
        say(f"{plan.name}: {label}, seed {seed}: {shown}")
    return _table(plan, figures)


def on_test(metric: str, checkpoint: str = "last") -> Read:
    """A figure of a checkpoint on the test split."""

    def read(_: Box, job: dict[str, Any]) -> float | None:
        value = job["result"]["test"][checkpoint].get(metric)
        return value if isinstance(value, int | float) else None

    return read


def metric(*names: str) -> Read:
    """The last value of a metric: the first of these that the job has."""

    def read(_: Box, job: dict[str, Any]) -> float | None:
        values = (job["metrics"].get(name) for name in names)
        return next((value for value in values if isinstance(value, int | float)), None)

    return read


def _key(plan: Plan, label: str, seed: int, spec: dict[str, Any]) -> str:
    content = json.dumps([plan.name, label, seed, spec], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _table(plan: Plan, figures: dict[str, list[list[float | None]]]) -> list[str]:
    titles = [column.title for column in plan.columns]
    lines = [f"| | {' | '.join(titles)} |", "|---|" + "---|" * len(titles)]
    for label, rows in figures.items():
        cells = [
            _written(column, [row[place] for row in rows])
            for place, column in enumerate(plan.columns)
        ]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return lines


def _written(column: Column, values: list[float | None]) -> str:
    """Mean and standard deviation, and how many had none."""
    there = [value for value in values if value is not None]
    if not there:
        return "none: failed"
    text = format(statistics.mean(there), column.form)
    if len(there) > 1:
        text += f" ± {format(statistics.stdev(there), column.form)}"
    lost = len(values) - len(there)
    return f"{text} ({lost} failed)" if lost else text
