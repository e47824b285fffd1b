"""JSON Patch (RFC 6902): operations applied to a copy of a JSON value."""

import copy
import json
from typing import Any

from api.http.faults import abbreviated, quoted
from api.http.json_equality import are_equal
from shared.errors import Conflict, Fault, InvalidSpec

MAX_OPERATIONS = 100
#: Each operation with the fields that it needs besides `op` and `path`.
NEEDS = {
    "add": ("value",),
    "remove": (),
    "replace": ("value",),
    "move": ("from",),
    "copy": ("from",),
    "test": ("value",),
}


def apply_patch(document: Any, operations: Any, *, at: str = "") -> Any:
    """Return a copy of a document with a patch applied, all of it or nothing.

    Args:
        document: a JSON value.
        operations: the patch.
        at: the pointer of the patch in the request, for faults.

    Raises:
        InvalidSpec: the patch is malformed, or a pointer leads nowhere; the faults point into it.
        Conflict: a `test` fails.
    """
    _check(operations, at)
    document = copy.deepcopy(document)
    for index, operation in enumerate(operations):
        document = _applied(document, operation, f"{at}/{index}")
    return document


def _check(operations: Any, at: str) -> None:
    """Check the form of every operation.

    Raises:
        InvalidSpec: with every fault.
    """
    if not isinstance(operations, list):
        text = f"is {abbreviated(operations)}; it must be a list of operations (RFC 6902)"
        raise _invalid(Fault(at, text))
    if len(operations) > MAX_OPERATIONS:
        text = f"has {len(operations)} operations; at most {MAX_OPERATIONS} are allowed"
        raise _invalid(Fault(at, text))
    faults = [
        fault
        for index, operation in enumerate(operations)
        for fault in _operation_faults(operation, f"{at}/{index}")
    ]
    if faults:
        raise _invalid(*faults)


def _operation_faults(operation: Any, at: str) -> list[Fault]:
    if not isinstance(operation, dict):
        return [Fault(at, f"is {abbreviated(operation)}; it must be an object with op and path")]
    name = operation.get("op")
    if not isinstance(name, str) or name not in NEEDS:
        return [Fault(f"{at}/op", f"is {abbreviated(name)}; it must be one of {', '.join(NEEDS)}")]
    faults = [
        Fault(f"{at}/{field}", f"is required by {name}")
        for field in ("path", *NEEDS[name])
        if field not in operation
    ]
    for field in ("path", "from"):
        value = operation.get(field, "")
        if not isinstance(value, str) or (value and not value.startswith("/")):
            text = f"is {abbreviated(value)}; it must be a JSON Pointer such as /optimizer"
            faults.append(Fault(f"{at}/{field}", text))
    return faults


def _applied(document: Any, operation: dict[str, Any], at: str) -> Any:
    name, path = operation["op"], operation["path"]
    if name == "test":
        value = _get(document, path, f"{at}/path")
        if not are_equal(value, operation["value"]):
            raise Conflict(
                f"The patch does not fit: {path or 'the whole'} is {abbreviated(value)}, and the "
                f"patch was made for {abbreviated(operation['value'])}.",
                pointer=f"{at}/value",
            )
        return document
    if name == "remove":
        return _removed(document, path, f"{at}/path")
    if name in ("move", "copy"):
        source = operation["from"]
        value = copy.deepcopy(_get(document, source, f"{at}/from"))
        if name == "move":
            if path.startswith(f"{source}/"):
                raise _invalid(Fault(f"{at}/path", "is inside of what is moved"))
            document = _removed(document, source, f"{at}/from")
    else:
        value = copy.deepcopy(operation["value"])
    if name == "replace":
        _get(document, path, f"{at}/path")
    return _added(document, path, value, f"{at}/path", replaces=name == "replace")


def _parts(path: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _get(document: Any, path: str, at: str) -> Any:
    for part in _parts(path):
        document = document[_key(document, part, path, at)]
    return document


def _key(parent: Any, part: str, path: str, at: str, *, is_new: bool = False) -> Any:
    """Return the key or the index of a member.

    Raises:
        InvalidSpec: there is no such member; with `is_new`, no place for it.
    """
    if isinstance(parent, dict) and (is_new or part in parent):
        return part
    if isinstance(parent, list):
        if is_new and part == "-":
            return len(parent)
        is_index = part.isascii() and part.isdigit() and (part == "0" or part[0] != "0")
        if is_index and len(part) < 10 and int(part) < len(parent) + is_new:
            return int(part)
    why = f"there is no {quoted(part)}"
    if not isinstance(parent, dict | list):
        why = f"{quoted(part)} would be inside of {abbreviated(parent)}, which has no members"
    raise _invalid(Fault(at, f"is {json.dumps(path)[:100]}, but {why}"))


def _removed(document: Any, path: str, at: str) -> Any:
    if not path:
        raise _invalid(Fault(at, "is the whole specification, which cannot be removed"))
    *parents, last = _parts(path)
    parent = document
    for part in parents:
        parent = parent[_key(parent, part, path, at)]
    del parent[_key(parent, last, path, at)]
    return document


def _added(document: Any, path: str, value: Any, at: str, *, replaces: bool) -> Any:
    if not path:
        return value
    *parents, last = _parts(path)
    parent = document
    for part in parents:
        parent = parent[_key(parent, part, path, at)]
    key = _key(parent, last, path, at, is_new=not replaces)
    if isinstance(parent, list) and not replaces:
        parent.insert(key, value)
    else:
        parent[key] = value
    return document


def _invalid(*faults: Fault) -> InvalidSpec:
    return InvalidSpec(list(faults), subject="patch")
