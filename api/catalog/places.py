"""Where each name stands in a specification: read from its structure and the catalogue."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel

from shared import catalog
from shared.datasets import FACTS
from shared.spec import JobSpec


class SlotPlace(NamedTuple):
    """Where the methods of a slot stand, and what one of them is called."""

    pointer: str
    #: With its article.
    noun: str


SLOT_PLACES: Mapping[str, SlotPlace] = {
    "architectures": SlotPlace("/architecture", "an architecture"),
    "augmentations": SlotPlace("/augmentation", "an augmentation"),
    "diagnostics": SlotPlace("/diagnostics/rules", "a rule"),
    "initializers": SlotPlace("/initializer", "an initializer"),
    "losses": SlotPlace("/loss", "a loss"),
    "optimizers": SlotPlace("/optimizer", "an optimizer"),
    "regularizers": SlotPlace("/regularizers", "a regularizer"),
    "schedules": SlotPlace("/optimizer/schedule", "a schedule"),
}
#: The slots whose methods are named by the keys of an object.
KEYED = frozenset({"augmentations", "diagnostics", "regularizers"})
#: What fields, metrics and parameters are called.
FIELD = "a field"
METRIC = "a metric"
PARAMETER = "a parameter of "


class Place(NamedTuple):
    """A name and the place where it stands."""

    name: str
    #: What it is, with its article.
    noun: str
    pointer: str


def folded(name: str) -> str:
    """Return a name as it is compared: lower case, without separators."""
    return "".join(character for character in name[:100].lower() if character.isalnum())


@cache
def places() -> Mapping[str, tuple[Place, ...]]:
    """Return every name of a specification, folded, with its places, the shortest first."""
    found: dict[str, dict[Place, None]] = {}
    for place in sorted(_all(), key=lambda place: place.pointer.count("/")):
        found.setdefault(folded(place.name), {})[place] = None
    return {name: tuple(entries) for name, entries in found.items()}


def _all() -> Iterator[Place]:
    yield from _fields(JobSpec, "")
    content = catalog.load()
    for slot, (pointer, noun) in SLOT_PLACES.items():
        for name, entry in content[slot].items():
            at = f"{pointer}/{name}" if slot in KEYED else pointer
            yield Place(name, noun, at)
            for parameter in entry["parameters"].get("properties", {}):
                yield Place(parameter, f"{PARAMETER}{name}", f"{at}/{parameter}")
    for name in content[catalog.METRICS]:
        yield Place(name, METRIC, "/training/early_stopping/monitor")
    for name in FACTS:
        yield Place(name, "a dataset", "/dataset")


def _fields(model: type[BaseModel], pointer: str) -> Iterator[Place]:
    for name, field in model.model_fields.items():
        at = f"{pointer}/{name}"
        if name != "name":
            yield Place(name, FIELD, at)
        for part, is_entry in _models(field.annotation, is_entry=False):
            yield from _fields(part, f"{at}/0" if is_entry else at)


def _models(annotation: Any, *, is_entry: bool) -> Iterator[tuple[type[BaseModel], bool]]:
    """Yield the models in the type of a field, and whether each is an entry of a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, is_entry
        return
    origin = getattr(annotation, "__origin__", None)
    if origin is dict:
        return
    for part in get_args(annotation):
        yield from _models(part, is_entry=is_entry or origin is tuple)
