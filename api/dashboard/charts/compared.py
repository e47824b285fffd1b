"""The charts of several jobs; repetitions with other seeds are one line with a band."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.dashboard.charts.job_charts import value_of
from api.dashboard.charts.line_chart import Band, Line, LineChart, Subject, draw
from api.dashboard.charts.seeds import MIN_FOR_DEVIATION, groups, mean_line, spread

Json = dict[str, Any]
Curves = Mapping[str, Mapping[str, list[tuple[float, float]]]]

CURVES = ("val_loss", "val_accuracy", "val_mean_absolute_error", "train_loss", "generalization_gap")


@dataclass(frozen=True)
class Group:
    """Jobs that differ in their seed alone."""

    jobs: list[Json]
    style: str

    @property
    def letters(self) -> str:
        """The letters of the jobs."""
        return "".join(job["letter"] for job in self.jobs)

    @property
    def band(self) -> str:
        """What the band shows."""
        is_deviation = len(self.jobs) >= MIN_FOR_DEVIATION
        return "± standard deviation" if is_deviation else "lowest to highest"


def group_jobs(columns: Sequence[Json], differences: Sequence[Mapping[str, Any]]) -> list[Group]:
    """Return the repetitions among the compared jobs.

    Args:
        columns: the jobs, with their letters and styles.
        differences: of their specifications.
    """
    by_id = {job["id"]: job for job in columns}
    found = [[by_id[each] for each in ids] for ids in groups(list(by_id), differences)]
    return [Group(jobs, jobs[0]["style"]) for jobs in found]


def group_values(found: Sequence[Group], metrics: Sequence[Json]) -> list[Json]:
    """Return, for each metric that all jobs of a group have, its mean and band over the seeds."""
    return [
        {"name": each["name"], "cells": cells}
        for each in metrics
        if any(cells := [_cell(group, each) for group in found])
    ]


def draw_compared(
    columns: Sequence[Json], curves: Curves, found: Sequence[Group]
) -> list[LineChart]:
    """Return a chart of each metric that at least one of the jobs has.

    Args:
        columns: the jobs, with their letters and styles.
        curves: the points of each metric by the id of the job.
        found: jobs that are drawn as their mean; their own lines stay below it.
    """
    last = max(
        (epoch for lines in curves.values() for points in lines.values() for epoch, _ in points),
        default=1,
    )
    style_of = {job["id"]: group.style for group in found for job in group.jobs}
    charts = []
    for name in CURVES:
        lines, areas = [], []
        for job in columns:
            if points := curves[job["id"]].get(name):
                group_style = style_of.get(job["id"])
                style = job["style"] if group_style is None else f"{group_style} raw"
                lines.append(Line(f"{job['letter']} {job['name'] or job['id']}", style, points))
        for group in found:
            mean = mean_line([curves[job["id"]].get(name, []) for job in group.jobs])
            if mean:
                label = f"{group.letters}: mean of {len(group.jobs)} seeds, {group.band}"
                lines.append(Line(label, group.style, [(at, each.mean) for at, each in mean]))
                points = [(at, each.low, each.high) for at, each in mean]
                areas.append(Band(group.style, points))
        if lines:
            is_fraction = "accuracy" in name
            subject = Subject(int(last))
            charts.append(draw(name, lines, subject, areas=areas, is_fraction=is_fraction))
    return charts


def _cell(group: Group, metric: Json) -> Json | None:
    """Return the mean of the best values, or of the last where no value is better."""
    values = [metric["values"].get(job["id"]) for job in group.jobs]
    if not all(values):
        return None
    is_final = metric["split"] == "test" or any(each["best"] is None for each in values if each)
    chosen = [each["final" if is_final else "best"] for each in values if each]
    if any(value is None for value in chosen):
        return None
    found = spread([value_of(value) for value in chosen])
    return {"mean": found.mean, "half": (found.high - found.low) / 2}
