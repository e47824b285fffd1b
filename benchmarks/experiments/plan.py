"""An experiment: specifications that differ in one respect, and the values read from their jobs."""

import hashlib
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.boxes import Box

#: A finished job → a value; None if it has none.
Reader = Callable[[Box, dict[str, Any]], float | None]


@dataclass(frozen=True)
class Column:
    """A value of every job."""

    title: str
    read: Reader
    #: The format of the values.
    number_format: str = ".4f"


@dataclass(frozen=True)
class Plan:
    """The jobs to run and the table to make of them."""

    name: str
    title: str
    #: What the table shows, for its reader.
    question: str
    #: The specifications by their label in the table.
    rows: dict[str, dict[str, Any]]
    seeds: Sequence[int]
    columns: Sequence[Column]
    #: What the box needs before the first job is submitted.
    prepare: Callable[[Box], None] | None = None


def run(plan: Plan, box: Box, log: Callable[[str], None]) -> list[str]:
    """Run the jobs that were not run yet; return the lines of the table.

    The idempotency key is a digest of the content, so that no job of this box is run twice.
    """
    if plan.prepare is not None:
        plan.prepare(box)
    jobs = {
        (label, seed): box.submit({**spec, "seed": seed}, key=_key(plan, label, seed, spec))["id"]
        for seed in plan.seeds
        for label, spec in plan.rows.items()
    }
    values: dict[str, list[list[float | None]]] = {label: [] for label in plan.rows}
    for (label, seed), job_id in jobs.items():
        job = box.finish(job_id, any_state=True)
        if job["state"] != "succeeded":
            kind = (job["failure"] or {}).get("kind", job["state"])
            log(f"{plan.name}: {label}, seed {seed}: {kind}")
            values[label].append([None for _ in plan.columns])
            continue
        row = [column.read(box, job) for column in plan.columns]
        values[label].append(row)
        shown = ", ".join(
            f"{column.title} {_cell(column, [value])}"
            for column, value in zip(plan.columns, row, strict=True)
        )
        log(f"{plan.name}: {label}, seed {seed}: {shown}")
    return _table(plan, values)


def on_test(metric: str, checkpoint: str = "last") -> Reader:
    """Return a reader of a checkpoint's metric on the test split."""

    def read(_: Box, job: dict[str, Any]) -> float | None:
        value = job["result"]["test"][checkpoint].get(metric)
        return value if isinstance(value, int | float) else None

    return read


def metric(*names: str) -> Reader:
    """Return a reader of the last value of a metric: the first of `names` that the job has."""

    def read(_: Box, job: dict[str, Any]) -> float | None:
        values = (job["metrics"].get(name) for name in names)
        return next((value for value in values if isinstance(value, int | float)), None)

    return read


def _key(plan: Plan, label: str, seed: int, spec: dict[str, Any]) -> str:
    content = json.dumps([plan.name, label, seed, spec], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _table(plan: Plan, values: dict[str, list[list[float | None]]]) -> list[str]:
    titles = [column.title for column in plan.columns]
    lines = [f"| | {' | '.join(titles)} |", "|---|" + "---|" * len(titles)]
    for label, rows in values.items():
        cells = [
            _cell(column, [row[index] for row in rows]) for index, column in enumerate(plan.columns)
        ]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return lines


def _cell(column: Column, values: list[float | None]) -> str:
    """Return mean and standard deviation, and how many jobs have no value."""
    present = [value for value in values if value is not None]
    if not present:
        return "none: failed"
    text = format(statistics.mean(present), column.number_format)
    if len(present) > 1:
        text += f" ± {format(statistics.stdev(present), column.number_format)}"
    failed = len(values) - len(present)
    return f"{text} ({failed} failed)" if failed else text
