"""The slots of the catalogue: their titles, and where a specification names their methods."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Slot:
    """A slot of the catalogue on its pages."""

    name: str
    title: str
    #: Where a specification names a method of it; None where it names none.
    pointer: str | None = None
    #: Whether a specification has any number of its methods, by their names.
    is_map: bool = False


SLOTS = (
    Slot("architectures", "Networks", "/architecture"),
    Slot("initializers", "Initial weights", "/initializer"),
    Slot("losses", "Losses", "/loss"),
    Slot("optimizers", "Optimizers", "/optimizer"),
    Slot("schedules", "Learning rate schedules", "/optimizer/schedule"),
    Slot("regularizers", "Regularization", "/regularizers", is_map=True),
    Slot("augmentations", "Augmentation", "/augmentation", is_map=True),
    Slot("diagnostics", "Rules of the diagnostics", "/diagnostics/rules", is_map=True),
    Slot("analyses", "Analyses"),
)
BY_NAME = {slot.name: slot for slot in SLOTS}


def example(slot: Slot, name: str, given: Json | None = None) -> Json:
    """Return the part of a specification that names a method.

    For an analysis, which is a request of its own, return the body of that request.

    Args:
        slot: of the method.
        name: of the method.
        given: its parameters; None to leave them at their defaults.
    """
    if slot.pointer is None:
        return {"kind": name, "checkpoint": "last", **(given or {})}
    in_map: Any = True if given is None else given
    value = in_map if slot.is_map else {"name": name, **(given or {})}
    *parents, last = slot.pointer.strip("/").split("/")
    part: Json = {last: {name: value} if slot.is_map else value}
    for parent in reversed(parents):
        part = {parent: part}
    return part


def is_used(slot: Slot, name: str, spec: Json) -> bool:
    """Return whether a specification names a method, also in a stage of its fine-tuning."""
    return any(name in names for names in _named(slot, spec))


def _named(slot: Slot, spec: Json) -> Iterator[set[str]]:
    if slot.pointer is None:
        return
    stages = (spec.get("fine_tuning") or {}).get("stages") or ()
    for part in (spec, *stages):
        value: Any = part
        for key in slot.pointer.strip("/").split("/"):
            value = value.get(key) if isinstance(value, dict) else None
        if slot.is_map:
            yield {key for key, given in (value or {}).items() if given is not False}
        elif isinstance(value, dict):
            yield {str(value.get("name"))}
        elif value is not None:
            yield {str(value)}
