"""Changes of a specification that cure a fault, as JSON Patch (RFC 6902).

Each patch is a function of the view to its changes by pointer, or None where it does not apply.
Members are set with `add`, which replaces them, so that null and absent need no cases; a `test` of
the value that the patch was made for comes first, so that a stale patch is refused.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from worker.diagnostics.view import View

Operation = dict[str, Any]


@dataclass(frozen=True)
class Changes:
    """The new values by pointer, and what they are expected to do."""

    values: Mapping[str, Any]
    expects: str


@dataclass(frozen=True)
class Patch:
    """Operations on the filled specification, and what they are expected to do."""

    name: str
    operations: tuple[Operation, ...]
    expects: str


Builder = Callable[[View], Changes | None]
#: Every patch by the name of its function.
PATCHES: dict[str, Builder] = {}


def patch(builder: Builder) -> Builder:
    """Register a patch under the name of its function."""
    PATCHES[builder.__name__] = builder
    return builder


def make_patches(names: tuple[str, ...], view: View) -> tuple[Patch, ...]:
    """Return the patches of these names that change the specification, without repetitions."""
    found: dict[str, Patch] = {}
    for name in names:
        changes = PATCHES[name](view)
        operations = () if changes is None else tuple(_operations(view.spec, changes.values))
        if changes is not None and operations:
            found.setdefault(repr(operations), Patch(name, operations, changes.expects))
    return tuple(found.values())


def _operations(spec: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[Operation]:
    """Yield the operations that set each pointer to its value; none for values that are set."""
    additions: list[Operation] = []
    for pointer, value in values.items():
        is_there, old = _find(spec, pointer)
        if is_there and old == value:
            continue
        tested = pointer if is_there else pointer.rpartition("/")[0]
        yield {"op": "test", "path": tested, "value": old if is_there else _find(spec, tested)[1]}
        additions.append({"op": "add", "path": pointer, "value": value})
    yield from additions


def _find(spec: Any, pointer: str) -> tuple[bool, Any]:
    """Return whether there is a value at a pointer, and the value."""
    for part in pointer.split("/")[1:]:
        if isinstance(spec, list) and part.isdecimal() and int(part) < len(spec):
            spec = spec[int(part)]
        elif isinstance(spec, Mapping) and part in spec:
            spec = spec[part]
        else:
            return False, None
    return True, spec
