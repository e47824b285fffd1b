"""The parameters of a method as rows of a table: type, bounds, default, meaning."""

from dataclasses import dataclass
from typing import Any

from api.dashboard.formats import compact

Json = dict[str, Any]

WORDS = {
    "number": "number",
    "integer": "whole number",
    "string": "text",
    "boolean": "true or false",
    "array": "list",
}
BOUNDS = (
    ("exclusiveMinimum", "> {}"),
    ("minimum", "≥ {}"),
    ("exclusiveMaximum", "< {}"),
    ("maximum", "≤ {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
)
#: Whole numbers above are written as powers.
LARGEST_WRITTEN = 10**9


@dataclass(frozen=True)
class Parameter:
    """A parameter of a method."""

    name: str
    type: str
    bounds: str
    #: As JSON; None where a value must be given.
    default: str | None
    meaning: str
    #: Whether a bare value in place of an object sets it.
    is_short_form: bool


def parameters(method: Json) -> list[Parameter]:
    """Return the parameters of a method of the catalogue, in the order of its signature."""
    properties = method["parameters"].get("properties", {})
    return [
        Parameter(
            name=name,
            type=_type(schema),
            bounds=_bounds(schema),
            default=compact_json(schema["default"]) if "default" in schema else None,
            meaning=schema.get("description") or "",
            is_short_form=name == method["short_form"],
        )
        for name, schema in properties.items()
    ]


def defaults(method: Json) -> Json:
    """Return the default of each parameter that has one."""
    properties = method["parameters"].get("properties", {})
    return {name: part["default"] for name, part in properties.items() if "default" in part}


def compact_json(value: Any) -> str:
    """Return a value as JSON, also a text with its quotation marks."""
    return f'"{value}"' if isinstance(value, str) else compact(value)


def _type(schema: Json) -> str:
    parts = schema.get("anyOf")
    if parts:
        return " or ".join("null" if each.get("type") == "null" else _type(each) for each in parts)
    if "enum" in schema:
        return "choice"
    if schema.get("type") == "array":
        return f"list of {WORDS.get(schema['items'].get('type'), 'value')}s"
    return WORDS.get(schema.get("type", ""), "JSON")


def _bounds(schema: Json) -> str:
    parts = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    if parts:
        return "; ".join(filter(None, map(_bounds, parts)))
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    found = [text.format(_number(schema[key])) for key, text in BOUNDS if key in schema]
    if schema.get("type") == "array":
        fewest, most = schema.get("minItems"), schema.get("maxItems")
        count = str(most) if fewest == most else f"{fewest} to {most}"
        return f"{count} values, each {_bounds(schema['items'])}"
    return ", ".join(found)


def _number(value: float) -> str:
    if isinstance(value, int) and value > LARGEST_WRITTEN:
        power = value.bit_length() - 1
        return f"2^{power}" if value == 1 << power else f"{value:.3g}"
    return f"{value:,}"
