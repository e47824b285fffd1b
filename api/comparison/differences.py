"""What the specifications of several jobs differ in."""

from collections.abc import Mapping
from typing import Any

from api.http.json_equality import are_equal
from api.http.json_pointer import escape

#: Jobs are shown with their names, so a name is no difference.
LEFT_OUT = {"/name"}


def differences(specs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the fields in which filled specifications differ, in the order of their pointers.

    A field that only some of the specifications have is a difference as a whole. Lists of equal
    length are compared entry by entry.

    Args:
        specs: by the id of the job.

    Returns:
        `{"pointer", "values"}` for each field; `values` maps the ids of the jobs that have the
        field to its value.
    """
    found: list[dict[str, Any]] = []
    _compare("", dict(specs), len(specs), found)
    return sorted(found, key=lambda difference: difference["pointer"])


def _compare(pointer: str, values: dict[str, Any], count: int, found: list[dict[str, Any]]) -> None:
    """Add the differences at a pointer and below it.

    Args:
        pointer: of the values.
        values: by the id of the job, of the jobs that have the field.
        count: of all jobs.
        found: the differences so far; grows.
    """
    if pointer in LEFT_OUT:
        return
    if len(values) == count:
        members = _members(list(values.values()))
        if members is not None:
            for name in members:
                having = {job: value[name] for job, value in values.items() if _has(value, name)}
                _compare(f"{pointer}/{escape(str(name))}", having, count, found)
            return
        first, *others = values.values()
        if all(are_equal(first, other) for other in others):
            return
    found.append({"pointer": pointer, "values": values})


def _members(values: list[Any]) -> list[Any] | None:
    """Return the keys or indices to compare one by one; None for values that are compared whole."""
    if all(isinstance(value, dict) for value in values):
        return list(dict.fromkeys(name for value in values for name in value))
    if all(isinstance(value, list) for value in values) and len({*map(len, values)}) == 1:
        return list(range(len(values[0])))
    return None


def _has(value: Any, member: Any) -> bool:
    return isinstance(value, list) or member in value
