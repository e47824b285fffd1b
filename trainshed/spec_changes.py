"""Changes of a specification from the command line: `--set training.epochs=3`."""

import json
from typing import Any

from trainshed.errors import WrongUsage

Json = dict[str, Any]


def with_changes(spec: Any, changes: list[str]) -> Any:
    """Return a specification with changed fields.

    Args:
        spec: the specification, as it was read.
        changes: each PATH=VALUE. PATH is `training.epochs`, `checkpoints.0.monitor`, or a JSON
            Pointer, `/training/epochs`. VALUE is JSON, or else a string.

    Raises:
        WrongUsage: a change is not PATH=VALUE, or its path leads through a value without fields.
    """
    for change in changes:
        path, equals_sign, text = change.partition("=")
        if not equals_sign or not path.strip("./"):
            raise WrongUsage(f"--set {change!r} must be PATH=VALUE, as in training.epochs=3.")
        spec = _with_value(spec, _parts(path), json_or_text(text), change)
    return spec


def _parts(path: str) -> list[str]:
    if not path.startswith("/"):
        return path.split(".")
    return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]


def json_or_text(text: str) -> Any:
    """Return the value of a JSON text; other texts stay."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _with_value(old: Any, parts: list[str], value: Any, change: str) -> Any:
    """Return `old` with `value` at the end of a path; objects on the way are added."""
    if not parts:
        return value
    part, *rest = parts
    if isinstance(old, list):
        if not part.isdecimal() or int(part) >= len(old):
            raise WrongUsage(
                f"--set {change!r}: {part!r} is not an entry of the list; it has the entries 0 to "
                f"{len(old) - 1}."
                if old
                else f"--set {change!r}: {part!r} is not an entry of the list, which is empty."
            )
        index = int(part)
        return [*old[:index], _with_value(old[index], rest, value, change), *old[index + 1 :]]
    fields = _fields(old, change, part)
    return {**fields, part: _with_value(fields.get(part), rest, value, change)}


def _fields(old: Any, change: str, part: str) -> Json:
    """Return a value as an object: of a name its object form, of true and null an empty object."""
    if isinstance(old, dict):
        return old
    if isinstance(old, str):
        return {"name": old}
    if old is None or old is True:
        return {}
    raise WrongUsage(
        f"--set {change!r}: {part!r} cannot be set in {json.dumps(old)}, which has no fields. "
        "Set the whole object."
    )
