"""What pages say about an analysis: where it stands, and its result as rows."""

from collections.abc import Iterator
from typing import Any

from api.dashboard import formats
from shared.states import FINAL

Json = dict[str, Any]

#: Lists of more values are in the files.
LONGEST_LIST = 6
MAX_ROWS = 80
#: Rows of a list of objects that the page shows.
MAX_OBJECTS = 50
PICTURE = "image/png"
#: States in which an analysis can be cancelled.
CANCELLABLE = ("queued", "running")


def sentence(analysis: Json) -> str:
    """Return where an analysis stands, as a sentence."""
    state = analysis["state"]
    if state == "queued":
        position = analysis["queue_position"]
        place = f"Number {position} in the queue" if position else "In the queue"
        return f"{place}; analyses start before trainings of the same priority."
    if state == "running":
        return _running(analysis)
    if state == "succeeded":
        return f"Finished in {formats.between(analysis['started_at'], analysis['finished_at'])}."
    if state == "cancelled":
        return "Cancelled; what was computed until then is kept for the same request."
    return ""


def _running(analysis: Json) -> str:
    progress, device = analysis["progress"], analysis["device"]
    place = f" on {device}" if device else ""
    if progress is None:
        return f"Preparing{place}."
    left = progress["eta_seconds"]
    rest = "" if left is None else f", {formats.duration(left)} to go"
    return f"Step {progress['step']:,} of {progress['steps']:,}{rest}{place}."


def word(analysis: Json) -> str:
    """Return the state, or what is about to become of it."""
    is_ending = analysis["cancel_requested_at"] and analysis["state"] not in FINAL
    return "cancelling…" if is_ending else analysis["state"]


def rows(analyses: list[Json]) -> list[Json]:
    """Return analyses for a table: with a word for the state, and the first sentence."""
    return [
        {**each, "word": word(each), "first": next(iter(summary(each)), "")} for each in analyses
    ]


def can_cancel(analysis: Json) -> bool:
    """Return whether the analysis can be cancelled now."""
    return analysis["state"] in CANCELLABLE and not analysis["cancel_requested_at"]


def summary(analysis: Json) -> list[str]:
    """Return the sentences of the result."""
    found = (analysis["result"] or {}).get("summary") or ()
    return [found] if isinstance(found, str) else list(found)


def pictures(analysis: Json) -> list[Json]:
    """Return the pictures among the files."""
    return [each for each in analysis["artifacts"] if each["media_type"] == PICTURE]


def values(result: Json | None) -> list[tuple[str, str]]:
    """Return the values of a result by their names; long lists by their length."""
    given = {name: value for name, value in (result or {}).items() if name != "summary"}
    return [row for _, row in zip(range(MAX_ROWS), _rows("", given), strict=False)]


def _rows(prefix: str, part: Json) -> Iterator[tuple[str, str]]:
    for name, value in part.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _rows(f"{path}.", value)
        elif isinstance(value, list):
            if not any(isinstance(each, dict) for each in value):
                yield path, _list(value)
        else:
            yield path, _scalar(value)


def _list(value: list[Any]) -> str:
    if len(value) > LONGEST_LIST or any(isinstance(each, list) for each in value):
        return f"{_size(value)} values, in the files"
    return ", ".join(map(_scalar, value)) or formats.NOTHING


def _size(value: list[Any]) -> str:
    """Return the number of values, of rows and of each row: "5 × 51"."""
    inner = value[0] if value else None
    return f"{len(value):,} × {_size(inner)}" if isinstance(inner, list) else f"{len(value):,}"


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and value not in {"nan", "inf", "-inf"}:
        return value
    return formats.number(value)


def tables(result: Json | None) -> list[Json]:
    """Return the lists of objects in a result, each as a table."""
    found = []
    for name, value in (result or {}).items():
        if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            columns = [*dict.fromkeys(key for each in value for key in each)]
            rows = [[_scalar(each.get(key)) for key in columns] for each in value[:MAX_OBJECTS]]
            found.append({"name": name, "columns": columns, "rows": rows, "count": len(value)})
    return found
