"""What pydantic's errors say of a value, in words."""

from collections.abc import Mapping
from typing import Any

from api.http.faults import abbreviated

#: pydantic's type of an error → what the value must be; pydantic supplies the bounds.
RULES: Mapping[str, str] = {
    "model_type": "it must be an object",
    "model_attributes_type": "it must be an object",
    "dict_type": "it must be an object",
    "tuple_type": "it must be a list",
    "list_type": "it must be a list",
    "string_type": "it must be a string",
    "int_type": "it must be an integer",
    "int_from_float": "it must be an integer",
    "int_parsing": "it must be an integer",
    "int_parsing_size": "it must be an integer of at most 64 bits",
    "float_type": "it must be a number",
    "float_parsing": "it must be a number",
    "finite_number": "it must be a finite number",
    "bool_type": "it must be true or false",
    "bool_parsing": "it must be true or false",
    "greater_than": "it must be greater than {gt}",
    "greater_than_equal": "it must be at least {ge}",
    "less_than": "it must be less than {lt}",
    "less_than_equal": "it must be at most {le}",
    "literal_error": "it must be {expected}",
    "string_too_short": "it must have a length of at least {min_length}",
    "too_short": "it must have a length of at least {min_length}",
}
#: The same for values that are too long to be shown: their length is.
LENGTH_RULES: Mapping[str, str] = {
    "string_too_long": "has {length} characters; at most {max_length} are allowed",
    "too_long": "has {length} entries; at most {max_length} are allowed",
}
#: Whole bounds below it are written without a fraction.
_MAX_WHOLE = 2**53


def bounds_of(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the bounds that an error names, as JSON writes them."""
    return {name: _plain(bound) for name, bound in details.get("ctx", {}).items()}


def parameter_fault(details: Mapping[str, Any]) -> str:
    """Return the fault of a parameter of an address or of a header.

    Args:
        details: of an error of pydantic; or `msg` alone, which is returned as it is.
    """
    kind, value = str(details.get("type")), details.get("input")
    if kind == "missing":
        return "is required"
    if kind in LENGTH_RULES:
        # pydantic calls an optional text a value of any kind, whose length is that of a list.
        rule = LENGTH_RULES["string_too_long" if isinstance(value, str) else kind]
        return rule.format(**bounds_of(details), length=len(value or ""))
    if kind in RULES:
        return f"is {abbreviated(value)}; {RULES[kind].format(**bounds_of(details))}"
    return details["msg"].removeprefix("Value error, ")


def _plain(bound: Any) -> Any:
    """Return a bound as JSON writes it: 1000 for 1000.0, and double quotes."""
    if isinstance(bound, str):
        return bound.replace("'", '"')
    is_whole = isinstance(bound, float) and bound.is_integer() and bound < _MAX_WHOLE
    return int(bound) if is_whole else bound
