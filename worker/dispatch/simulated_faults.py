"""What is wrong in a file of simulated devices, as sentences."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

#: What must hold, by the type of pydantic's error; `{}` is filled from its context.
RULES = {
    "greater_than_equal": "it must be at least {ge}",
    "less_than_equal": "it must be at most {le}",
    "int_type": "it must be a whole number",
    "int_from_float": "it must be a whole number",
    "float_type": "it must be a number",
    "finite_number": "it must be a finite number",
    "string_type": "it must be a text",
    "string_too_long": "it must have at most {max_length} characters",
    "string_pattern_mismatch": 'it must be a word, a colon and a number, such as "sim:0"',
    "list_type": "it must be a list",
    "model_type": "it must be an object",
    "too_short": "it must not be empty",
    "too_long": "it must have at most {max_length} entries",
}
MAX_SHOWN = 60


def describe_faults(faults: Iterable[Mapping[str, Any]]) -> str:
    """Return the faults that pydantic reports, with their place and value."""
    return "; ".join(map(_sentence, faults))


def _sentence(fault: Mapping[str, Any]) -> str:
    place, kind = _place(fault["loc"]), fault["type"]
    if kind == "missing":
        return f"{place} is missing"
    if kind == "extra_forbidden":
        return f"{place} is not a field"
    if kind == "value_error":
        return f"{place}: {fault['ctx']['error']}"
    rule = RULES.get(kind)
    if rule is None:
        return f"{place} is {_shown(fault['input'])}: {fault['msg']}"
    return f"{place} is {_shown(fault['input'])}; {rule.format_map(fault.get('ctx', {}))}"


def _place(location: tuple[Any, ...]) -> str:
    return "/" + "/".join(map(str, location)) if location else "the whole"


def _shown(value: Any) -> str:
    if isinstance(value, list | dict) and value:
        return "a list" if isinstance(value, list) else "an object"
    text = json.dumps(value, default=str)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
