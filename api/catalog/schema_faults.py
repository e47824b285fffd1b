"""The faults of a method's parameters, worded from what jsonschema finds."""

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema.exceptions import ValidationError

from api.catalog.corrections import (
    boolean_hint,
    choice_hint,
    did_you_mean,
    number_hint,
    number_meant,
)
from api.catalog.hints import hint
from api.http.faults import abbreviated, quoted
from api.http.json_pointer import escape, pointer
from shared.errors import Fault

#: JSON Schema's keyword → what the value must be or have, given the keyword's own value.
RULES: Mapping[str, str] = {
    "minimum": "it must be at least {}",
    "maximum": "it must be at most {}",
    "exclusiveMinimum": "it must be greater than {}",
    "exclusiveMaximum": "it must be less than {}",
    "minItems": "it must have a length of at least {}",
    "maxItems": "it must have a length of at most {}",
    "enum": "it must be one of {}",
    "const": "it must be {}",
    "type": "it must be {}",
    "anyOf": "it must be {}",
    "minLength": "it must have a length of at least {}",
    "maxLength": "it must have a length of at most {}",
}
#: JSON Schema's types in the words of the other faults.
TYPES: Mapping[str, str] = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "an integer",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}


def faults_of(
    error: ValidationError, at: str, fields: frozenset[str] = frozenset()
) -> Iterator[Fault]:
    """Yield the faults behind one error.

    Args:
        error: what jsonschema found.
        at: the pointer of the parameters.
        fields: other fields that are allowed next to them.
    """
    schema: dict[str, Any] = error.schema  # pyright: ignore[reportAssignmentType]
    value: Any = error.instance
    where = at + pointer(*error.absolute_path)
    if error.validator == "additionalProperties":
        properties = schema.get("properties", {})
        for key in value:
            if key not in properties:
                text = f"{quoted(key)} is not a parameter. {hint(key, {*properties, *fields})}"
                yield Fault(f"{where}/{escape(key)}", text)
        return
    if error.validator == "required":
        # jsonschema reports one error for each name and does not give the name.
        for key in schema["required"]:
            if key not in value:
                yield Fault(f"{where}/{escape(key)}", "is required")
        return
    if error.validator == "anyOf":
        # Where one of the types fits, its own faults say more than the list of types.
        of_fitting_type = [part for part in error.context or () if part.validator != "type"]
        if of_fitting_type:
            yield from faults_of(of_fitting_type[0], at, fields)
            return
    yield Fault(where, f"is {abbreviated(value)}; {_rule(error, schema)}{_meant(error, schema)}")


def _meant(error: ValidationError, schema: dict[str, Any]) -> str:
    """Return the hint at the value that was probably meant."""
    value: Any = error.instance
    if error.validator == "enum":
        return choice_hint(value, filter(_is_text, schema["enum"]))
    if error.validator not in ("type", "anyOf"):
        return ""
    types = {part.get("type") for part in schema.get("anyOf", (schema,))}
    if "array" in types:
        number = value if type(value) is int else number_meant(value)
        return "" if number is None else did_you_mean([number])
    if types & {"number", "integer"} and (text := number_hint(value)):
        return text
    return boolean_hint(value) if "boolean" in types else ""


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _rule(error: ValidationError, schema: dict[str, Any]) -> str:
    keyword, bound = str(error.validator), error.validator_value
    if keyword == "type":
        bound = TYPES[str(bound)]
    elif keyword == "anyOf":
        bound = " or ".join(TYPES[part["type"]] for part in schema["anyOf"])
    elif keyword == "enum" and isinstance(bound, list):
        bound = ", ".join(map(str, bound))
    elif keyword == "const":
        bound = abbreviated(bound)
    rule = RULES.get(keyword)
    return rule.format(bound) if rule else f"the rule {keyword} is {abbreviated(bound)}"
