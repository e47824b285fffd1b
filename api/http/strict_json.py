"""A strict JSON parser: it refuses what is ambiguous, outside the standard or too large."""

import json
import re
from typing import Any, NoReturn

from api.http.json_pointer import escape
from shared.errors import BadRequest, Fault, InvalidSpec

MAX_DEPTH = 32
#: More than any valid body has. The content of a larger list or object is never examined.
MAX_ENTRIES, MAX_FIELDS, MAX_VALUES = 10_000, 1_000, 20_000
MAX_FIELD_NAME_LENGTH = 256
#: Larger integers become the nearest float, as in other JSON parsers.
MAX_INTEGER = 2**63
#: In digits. Python itself refuses to convert more than 4,300.
MAX_NUMBER_LENGTH = 400


def parse(body: bytes) -> Any:
    """Parse a body.

    Raises:
        BadRequest: It is not JSON, or contains a duplicate name, NaN or infinity, a lone
            surrogate, a NUL, a number that is too long, or too many levels.
        InvalidSpec: A list or an object is too large.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(f"The body is not valid UTF-8 at byte {error.start}.") from error
    _check_depth(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_without_duplicates,
            parse_constant=_refuse_constant,
            parse_float=_finite_float,
            parse_int=_integer,
        )
    except json.JSONDecodeError as error:
        raise BadRequest(
            f"The body is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from error
    if "\\u" in text:
        _check_characters(value)
    elif "\x00" in text:
        raise BadRequest("The body contains a NUL character.")
    _check_size(value)
    return value


# The quantifiers are possessive and an unterminated string matches to the end of the body, so that
# no position is tried twice: otherwise a body of escaped quotation marks takes quadratic time.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


def _check_depth(text: str) -> None:
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        matched = match[0]
        if matched in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise BadRequest(f"The body exceeds the limit of {MAX_DEPTH} levels of nesting.")
        elif matched in "]}":
            depth -= 1


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        seen: set[str] = set()
        duplicate = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise BadRequest(f"The body has the name {duplicate[:100]!r} twice in the same object.")
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise BadRequest(f"The body contains {name}, which is not valid JSON.")


def _finite_float(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise BadRequest(f"The number {text[:40]} is too large.")
    return value


def _integer(text: str) -> int | float:
    if len(text) > MAX_NUMBER_LENGTH:
        raise BadRequest(
            f"The body has a number of {len(text)} digits; at most {MAX_NUMBER_LENGTH} are allowed."
        )
    value = int(text)
    return value if -MAX_INTEGER <= value < MAX_INTEGER else _finite_float(text)


def _check_size(value: Any) -> None:
    """Refuse a value by the lengths of its lists and objects alone."""
    faults: list[Fault] = []
    value_count, pending = 0, [("", value)]
    while pending:
        pointer, part = pending.pop()
        if not isinstance(part, list | dict):
            continue
        detail = _size_fault(part)
        if detail is not None:
            faults.append(Fault(pointer, detail))
            continue
        value_count += len(part)
        if value_count > MAX_VALUES:
            faults.append(Fault("", f"exceeds the limit of {MAX_VALUES:,} values"))
            break
        items = part.items() if isinstance(part, dict) else enumerate(part)
        pending += [(f"{pointer}/{escape(str(name))}", inner) for name, inner in items]
    if faults:
        raise InvalidSpec(sorted(faults, key=lambda fault: fault.pointer))


def _size_fault(part: list[Any] | dict[str, Any]) -> str | None:
    """Return what is too large about a list or an object, if anything is."""
    if isinstance(part, list):
        if len(part) <= MAX_ENTRIES:
            return None
        return f"has {len(part):,} entries; at most {MAX_ENTRIES:,} are allowed"
    if len(part) > MAX_FIELDS:
        return f"has {len(part):,} fields; at most {MAX_FIELDS:,} are allowed"
    longest = max(map(len, part), default=0)
    if longest > MAX_FIELD_NAME_LENGTH:
        return (
            f"has a field name of {longest:,} characters; "
            f"at most {MAX_FIELD_NAME_LENGTH} are allowed"
        )
    return None


def _check_characters(value: Any) -> None:
    """Refuse NUL and lone surrogates, which only an escape sequence can produce."""
    if isinstance(value, str):
        if "\x00" in value:
            raise BadRequest("The body contains a NUL character.")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise BadRequest("The body contains half of a surrogate pair.")
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check_characters(name)
            _check_characters(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_characters(inner)
