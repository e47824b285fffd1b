"""JSON as a specification needs it: what is ambiguous or beyond the standard is refused."""

import json
import re
from typing import Any, NoReturn

from api.http.json_pointer import escape
from shared.errors import BadRequest, Fault, InvalidSpec

DEEPEST = 32
#: More than any body here has. Nobody looks at the entries of what has more.
MOST_ENTRIES, MOST_FIELDS, MOST_VALUES = 10_000, 1_000, 20_000
LONGEST_FIELD = 256
#: Integers beyond are read as every other reader of JSON reads them: as the nearest float.
BEYOND = 2**63
#: Digits of a number; Python itself refuses to convert more than 4,300.
LONGEST_NUMBER = 400


def parse(body: bytes) -> Any:
    """The value of a body.

    Raises:
        BadRequest: it is not JSON, or has a name twice, NaN or infinity, a lone surrogate, a NUL,
            a number that is too long, or too many levels.
        InvalidSpec: a list or an object is larger than any that is admitted here.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(f"The body is not UTF-8 at byte {error.start}.") from error
    _check_depth(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_bounded,
        )
    except json.JSONDecodeError as error:
        raise BadRequest(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from error
    if "\\u" in text:
        _check_strings(value)
    elif "\x00" in text:
        raise BadRequest("The body has the character NUL.")
    _check_size(value)
    return value


# One that does not end goes to the end of the body, and nothing is tried twice: else a body of
# escaped quotation marks would be read once for each of them.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


def _check_depth(text: str) -> None:
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        found = match[0]
        if found in "[{":
            depth += 1
            if depth > DEEPEST:
                raise BadRequest(f"The body has more than {DEEPEST} levels of nesting.")
        elif found in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise BadRequest(f"The body has the name {twice[:100]!r} twice in one object.")
    return found


def _no_constant(name: str) -> NoReturn:
    raise BadRequest(f"The body has {name}, which JSON does not have and no field here takes.")


def _finite(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise BadRequest(f"The number {text[:40]} is too large.")
    return value


def _bounded(text: str) -> int | float:
    if len(text) > LONGEST_NUMBER:
        raise BadRequest(f"A number has {len(text)} digits; {LONGEST_NUMBER} are admitted.")
    value = int(text)
    return value if -BEYOND <= value < BEYOND else _finite(text)


def _check_size(value: Any) -> None:
    """Refuse what is too large by its length alone."""
    faults: list[Fault] = []
    values, waiting = 0, [("", value)]
    while waiting:
        pointer, part = waiting.pop()
        if not isinstance(part, list | dict):
            continue
        too_large = _too_large(part)
        if too_large is not None:
            faults.append(Fault(pointer, too_large))
            continue
        values += len(part)
        if values > MOST_VALUES:
            faults.append(Fault("", f"has more than the {MOST_VALUES} values that are admitted"))
            break
        named = part.items() if isinstance(part, dict) else enumerate(part)
        waiting += [(f"{pointer}/{escape(str(name))}", inner) for name, inner in named]
    if faults:
        raise InvalidSpec(sorted(faults, key=lambda fault: fault.pointer))


def _too_large(part: list[Any] | dict[str, Any]) -> str | None:
    """What is too large about a list or an object, if anything is."""
    if isinstance(part, list):
        if len(part) <= MOST_ENTRIES:
            return None
        return f"has {len(part)} entries; no list here has more than {MOST_ENTRIES}"
    if len(part) > MOST_FIELDS:
        return f"has {len(part)} fields; no object here has more than {MOST_FIELDS}"
    longest = max(map(len, part), default=0)
    if longest > LONGEST_FIELD:
        return f"has a field with a name of {longest} characters; {LONGEST_FIELD} are admitted"
    return None


def _check_strings(value: Any) -> None:
    if isinstance(value, str):
        if "\x00" in value:
            raise BadRequest("The body has the character NUL.")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise BadRequest("The body has half of a surrogate pair, which is no character.")
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check_strings(name)
            _check_strings(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_strings(inner)
