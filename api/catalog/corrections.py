"""The value that was probably meant where one of the wrong type or spelling stands."""

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from api.catalog.foreign_names import FOREIGN_VALUES
from api.catalog.places import folded
from api.http.faults import MAX_VALUE_LENGTH, abbreviated

BOOLEANS: Mapping[str, bool] = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
DECIMAL_COMMA = re.compile(r"[+-]?0,[0-9]+%?|[+-]?[0-9]+,[0-9]{1,2}%?")
NUMBER = re.compile(r"[+-]?[0-9]*\.?[0-9]+(e[+-]?[0-9]+)?")


def did_you_mean(value: Any) -> str:
    """Return the end of a message that names the value that was probably meant."""
    return f". Did you mean {abbreviated(value)}?"


def number_hint(value: Any) -> str:
    """Return the hint for a value that must be a number; empty where none was meant."""
    number = number_meant(value)
    return "" if number is None else did_you_mean(number)


def number_meant(value: Any) -> int | float | None:
    """Return the number that a text stands for, with a decimal point or in percent."""
    if not isinstance(value, str) or len(value) > MAX_VALUE_LENGTH:
        return None
    text = value.strip().lower()
    if text.count(",") == 1 and DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    is_percent = text.endswith("%")
    text = text.removesuffix("%").strip()
    if NUMBER.fullmatch(text) is None or not math.isfinite(number := float(text)):
        return None
    if is_percent:
        return float(f"{number / 100:.12g}")
    return int(number) if text.lstrip("+-").isdigit() else number


def boolean_hint(value: Any) -> str:
    """Return the hint for a value that must be true or false; empty where neither was meant."""
    if not isinstance(value, str | int):
        return ""
    meant = BOOLEANS.get(str(value)[:MAX_VALUE_LENGTH].strip().lower())
    return "" if meant is None else did_you_mean(meant)


def choice_hint(value: Any, choices: Iterable[str]) -> str:
    """Return the hint for a text that must be one of several; empty where none is near."""
    if not isinstance(value, str):
        return ""
    by_folded = {folded(choice): choice for choice in choices}
    key = folded(value)
    for other in FOREIGN_VALUES.get(key, ()):
        if other in by_folded.values():
            return did_you_mean(other)
    nearest = difflib.get_close_matches(key, by_folded, n=1, cutoff=0.6)
    return did_you_mean(by_folded[nearest[0]]) if nearest else ""
