"""The charts of a job: which metrics stand together, and what all of them show."""

from collections.abc import Iterable
from typing import Any

from api.dashboard.charts.line_chart import Best, Line, LineChart, Subject, draw
from api.dashboard.formats import metric

#: Points of each series that a chart shows; thinning keeps every extreme.
POINTS = 400
TRAIN, VALIDATION, SINGLE = "train", "validation", "single"
#: Title, and the metrics with their styles, of which those are drawn that the job has.
CHARTS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("Loss", (("train_loss", TRAIN), ("val_loss", VALIDATION))),
    (
        "Accuracy",
        (
            ("train_accuracy", TRAIN),
            ("train_mixed_accuracy", TRAIN),
            ("val_accuracy", VALIDATION),
        ),
    ),
    (
        "Mean absolute error",
        (("train_mean_absolute_error", TRAIN), ("val_mean_absolute_error", VALIDATION)),
    ),
    ("Generalization gap", (("generalization_gap", SINGLE),)),
    ("Learning rate", (("learning_rate", SINGLE),)),
    ("Gradient norm", (("gradient_norm", SINGLE),)),
    ("Images per second", (("images_per_second", SINGLE),)),
)
#: These start at zero or cross it, so a logarithmic axis would leave most of them out.
ALWAYS_LINEAR = {"Accuracy", "Generalization gap"}
NOT_FINITE = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}

Series = list[dict[str, Any]]


def draw_job(
    job: dict[str, Any],
    series: Series,
    *,
    is_log: bool,
    from_epoch: int | None = None,
    to_epoch: int | None = None,
) -> list[LineChart]:
    """Return the charts of a job.

    Args:
        job: as the API shows it, with its attempts.
        series: its metrics, thinned.
        is_log: whether vertical axes are logarithmic where they can be.
        from_epoch: the first epoch of the series, if they are a part of the job's.
        to_epoch: the last epoch of the series, likewise.
    """
    lines = points_of(series)
    subject = _subject(job, series, first=from_epoch or 0, to_epoch=to_epoch)
    best = job["best"] or {}
    charts = []
    for title, members in CHARTS:
        shown = [(name, style) for name, style in members if lines.get(name)]
        if not shown and title not in {"Loss", "Learning rate"}:
            continue
        charts.append(
            draw(
                title,
                [Line(name, style, lines[name]) for name, style in shown],
                subject,
                bests=[_best(name, best[name]) for name, _ in shown if _is_best(best, name)],
                is_log=is_log and title not in ALWAYS_LINEAR,
                is_fraction=title == "Accuracy",
            )
        )
    return charts


def value_of(value: Any) -> float:
    """Return a value of the API as a number."""
    return NOT_FINITE.get(value, float("nan")) if isinstance(value, str) else float(value)


def epochs_table(series: Series, *, rows: int = 100) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the main metrics of each epoch, of the last epochs if there are too many.

    Returns:
        The names of the metrics, and for each epoch its number and the values by name.
    """
    names = [name for _, members in CHARTS for name, _ in members]
    by_epoch: dict[int, dict[str, Any]] = {}
    for each in series:
        if each["name"] in names:
            for point in each["points"]:
                by_epoch.setdefault(point["epoch"], {})[each["name"]] = point["value"]
    present = [name for name in names if any(name in values for values in by_epoch.values())]
    epochs = sorted(by_epoch)[-rows:]
    return present, [{"epoch": epoch, "values": by_epoch[epoch]} for epoch in epochs]


def points_of(series: Series) -> dict[str, list[tuple[float, float]]]:
    """Return the points of each metric over all stages, by its name."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for each in series:
        points = [(point["epoch"], value_of(point["value"])) for point in each["points"]]
        lines.setdefault(each["name"], []).extend(points)
    return lines


def _subject(job: dict[str, Any], series: Series, *, first: int, to_epoch: int | None) -> Subject:
    progress = job["progress"] or {}
    last = max((point["epoch"] for each in series for point in each["points"]), default=0)
    planned = progress.get("epochs") or 1
    # A job that runs shows how far it has come, a finished job what there is.
    is_running = job["state"] in {"running", "paused", "queued"}
    epochs = {best["epoch"] for best in _values(job["best"])[:1]}
    last = max(last, planned if is_running and planned <= 4 * max(last, 5) else last, 1)
    return Subject(
        last_epoch=last if to_epoch is None else to_epoch,
        first_epoch=first,
        stages=[(name, max(start, first), end) for name, start, end in _stages(series)],
        attempts=_attempts(job, series),
        best_epoch=next(iter(epochs), None),
        why_empty="No epoch yet" if is_running else "No epoch was completed",
    )


def _values(best: dict[str, Any] | None) -> list[dict[str, Any]]:
    return [each for each in (best or {}).values() if each.get("epoch")]


def _stages(series: Series) -> list[tuple[str, float, float]]:
    """Return the stages with the epochs between which they trained, if there are several."""
    ends: dict[str, int] = {}
    for each in series:
        epochs = [point["epoch"] for point in each["points"]]
        ends[each["stage"]] = max([*epochs, ends.get(each["stage"], 0)])
    if len(ends) < 2:
        return []
    names = sorted(ends, key=lambda name: ends[name])
    starts = [0, *(ends[name] for name in names)]
    return [
        (name, float(start), float(ends[name])) for name, start in zip(names, starts, strict=False)
    ]


def _attempts(job: dict[str, Any], series: Series) -> list[tuple[int, float]]:
    """Return the attempts after the first, with the epoch where each resumed."""
    points = [(point["step"], point["epoch"]) for each in series for point in each["points"]]
    found = []
    for attempt in (job.get("attempts") or [])[1:]:
        first = attempt["first_step"] or 0
        before = [epoch for number, epoch in points if number < first]
        if before:
            found.append((attempt["number"], float(max(before))))
    return found


def _is_best(best: dict[str, Any], name: str) -> bool:
    return isinstance(best.get(name, {}).get("value"), int | float)


def _best(name: str, best: dict[str, Any]) -> Best:
    label = f"best {metric(best['value'], name)} · epoch {best['epoch']}"
    return Best(label, best["epoch"], best["value"])


def finite_values(series: Series, names: Iterable[str]) -> list[float]:
    """Return the values of the first of these metrics that is present."""
    lines = points_of(series)
    return next(([value for _, value in lines[name]] for name in names if lines.get(name)), [])
