"""How values look on a page."""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape

#: Characters that reorder, hide or break text.
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)
_CODE = re.compile("`([^`]+)`")
_COMMAND = re.compile(": `trainshed [^`]*`$")
_PLAIN_WORD = re.compile("[a-z]+(?=[ ,])")
STATES = {
    "queued": "◷",
    "running": "▶",
    "paused": "‖",
    "succeeded": "✓",
    "failed": "✕",
    "cancelled": "⊘",
}
SEVERITIES = {"error": "✕", "warning": "▲", "info": "ℹ"}
NOTHING = "–"


def visible(value: Any) -> Any:
    """Return a value of a template with control and bidirectional characters written out."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _INVISIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}", value)
    return value


def with_code(text: str) -> Markup:
    """Return a text of the catalogue as HTML, in which `name` is code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(visible(text)))))  # noqa: S704


def without_command(text: str) -> str:
    """Return a headline without the command at its end: the page has a button for it."""
    return _COMMAND.sub(".", text)


def sentence(text: str) -> str:
    """Return a text with a capital at its start, unless that is a name such as `val_loss`."""
    return text[0].upper() + text[1:] if _PLAIN_WORD.match(text) else text


def label(job: Mapping[str, Any]) -> str:
    """Return the name of a job; without one, what it trains and the end of its id."""
    if job.get("name"):
        return job["name"]
    job_id, spec = job.get("job") or job["id"], job.get("spec") or job
    end, what = f"…{job_id[-6:]}", [name_of(spec.get("architecture")), name_of(spec.get("dataset"))]
    return f"job {end}" if NOTHING in what else f"{' on '.join(what)} {end}"


def name_of(part: Any) -> str:
    """Return the name of a method or a data set of a specification."""
    name = part.get("name") if isinstance(part, dict) else part
    return name if isinstance(name, str) and name else NOTHING


def number(value: Any, digits: int = 4) -> str:
    """Return a number to some significant digits; small numbers as `4.8e-4`."""
    value = _finite(value)
    if isinstance(value, str):
        return value
    if value and not 1e-3 <= abs(value) < 1e6:
        mantissa, _, exponent = f"{value:.{digits - 3 if digits > 3 else 1}e}".partition("e")
        return f"{mantissa}e{int(exponent)}"
    if isinstance(value, int) or value == int(value):
        return f"{int(value):,}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def short(value: Any, digits: int = 3) -> str:
    """Return a number as `number` does, without zeros at its end."""
    text = number(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def percent(fraction: Any, decimals: int = 2) -> str:
    """Return a fraction in percent."""
    fraction = _finite(fraction)
    return fraction if isinstance(fraction, str) else f"{100 * fraction:.{decimals}f} %"


def metric(value: Any, name: str) -> str:
    """Return a value of a metric: accuracies in percent, others as numbers."""
    return percent(value) if "accuracy" in name or name.endswith("fraction") else number(value)


def _finite(value: Any) -> Any:
    """Return a finite number, or the text for what is none."""
    if value is None or isinstance(value, bool):
        return NOTHING
    if isinstance(value, str):
        return {"nan": "NaN", "inf": "∞", "-inf": "−∞"}.get(value, value)
    if math.isnan(value):
        return "NaN"
    return ("∞" if value > 0 else "−∞") if math.isinf(value) else value


def duration(seconds: Any) -> str:
    """Return a duration in its two largest units."""
    if seconds is None:
        return NOTHING
    seconds = max(0.0, float(seconds))
    if 0 < seconds < 0.05:
        return "< 0.1 s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, whole = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours:02} h"
    return f"{hours} h {minutes:02} m" if hours else f"{minutes} m {whole:02} s"


def between(first: str | None, last: str | None) -> str:
    """Return the time from one moment to another, or until now."""
    return NOTHING if first is None else duration((_time(last) - _time(first)).total_seconds())


def ago(at: str | None) -> str:
    """Return how long ago a time was, in its largest unit."""
    if at is None:
        return NOTHING
    seconds = (datetime.now(UTC) - _time(at)).total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now" if seconds < 5 else f"{int(seconds)} s ago"


def expected(starts: dict[str, str | None] | None) -> str:
    """Return when a job starts, from its median and its 90th percentile: `in 3 m – 8 m`."""
    if starts is None or starts["p50"] is None:
        return NOTHING
    now = datetime.now(UTC)
    early, late = ((_time(at) - now).total_seconds() if at else None for at in starts.values())
    if early is None or max(early, late or 0) < 10:
        return "now"
    first = _about(early)
    last = "unknown" if late is None else _about(late)
    return f"in {first}" if first == last else f"in {first} – {last}"


def _about(seconds: float) -> str:
    """Return a duration in its largest unit: estimates are not more precise."""
    if seconds < 90:
        return f"{max(0, round(seconds / 10) * 10)} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} m"
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} d"


def clock(at: str | None) -> str:
    """Return a time for a tooltip: with its date and zone."""
    return NOTHING if at is None else f"{_time(at):%d %b %Y %H:%M:%S} UTC"


def day(at: str | None) -> str:
    """Return the date of a time."""
    return NOTHING if at is None else f"{_time(at):%d %b %Y}"


def _time(at: str | None) -> datetime:
    return datetime.now(UTC) if at is None else datetime.fromisoformat(at)


def size(count: Any) -> str:
    """Return a number of bytes."""
    if count is None:
        return NOTHING
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.3g} {unit}"
        amount /= 1000
    return NOTHING


def pretty(value: Any) -> str:
    """Return a value as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def compact(value: Any) -> str:
    """Return a value as JSON on a line; text without its quotation marks."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def changes(operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the operations of a patch as changes: path, old value if it is tested, new value."""
    tested = {each["path"]: each.get("value") for each in operations if each["op"] == "test"}
    return [
        {
            "path": each["path"].strip("/").replace("/", "."),
            "old": _compact_or_none(tested, each["path"]),
            "new": "removed" if each["op"] == "remove" else compact(each.get("value")),
        }
        for each in operations
        if each["op"] != "test"
    ]


def _compact_or_none(values: dict[str, Any], path: str) -> str | None:
    return compact(values[path]) if path in values else None


_FUNCTIONS = (
    *(number, short, percent, metric, duration, between, ago, expected, clock, size, pretty),
    *(compact, changes, with_code, without_command, sentence, day, label),
)
FILTERS = {function.__name__: function for function in _FUNCTIONS} | {
    "glyph": lambda state: STATES.get(state, "?"),
    "severity_glyph": lambda severity: SEVERITIES.get(severity, "?"),
    "dotted": lambda pointer: pointer.strip("/").replace("/", "."),
    "segment": lambda text: quote(text, safe=""),
}
