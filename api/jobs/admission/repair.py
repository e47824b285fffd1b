"""What is left of a request without the values that have faults, so that the rest is checked."""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from shared.spec import MAX_EPOCHS

Model = TypeVar("Model", bound=BaseModel)
#: The way to a value of a request: names of fields and indices of lists.
Path = list[int | str]

FAULTY = "faulty_value"
#: Replacements for values that cannot be left out, or by whose index others are counted; each is
#: made from that index. No other check finds a fault in them.
STAND_INS: Mapping[tuple[str, ...], Callable[[int], Any]] = {
    ("dataset",): lambda _: {"name": FAULTY},
    ("dataset", "name"): lambda _: FAULTY,
    ("architecture",): lambda _: {"name": FAULTY},
    ("architecture", "name"): lambda _: FAULTY,
    # The maximum, so that no warm-up is too long for it.
    ("training", "epochs"): lambda _: MAX_EPOCHS,
    ("checkpoints", "*"): lambda _: {"epoch": 0},
    ("metrics", "top_k", "*"): lambda _: 1,
    ("fine_tuning", "stages", "*"): lambda index: {
        "name": f"{FAULTY}_{index}",
        "epochs": MAX_EPOCHS,
    },
    ("fine_tuning", "stages", "*", "name"): lambda index: f"{FAULTY}_{index}",
    ("fine_tuning", "stages", "*", "epochs"): lambda _: MAX_EPOCHS,
}
#: More than a specification has levels: leaving a value out can make its parent invalid.
MAX_ROUNDS = 10


def without_faulty_values(
    raw: dict[str, Any], model: type[Model], error: ValidationError
) -> Model | None:
    """Read a request without the values that have faults.

    A required value is replaced by a stand-in; where it has none, its parent is left out too.

    Args:
        raw: the request as it was posted.
        model: its structure.
        error: what pydantic found wrong with it.

    Returns:
        The model; None where nothing can be read.
    """
    rest = copy.deepcopy(raw)
    for _ in range(MAX_ROUNDS):
        errors = reported(error)
        # From the end, so that the indices of a list stay valid.
        for details in sorted(errors, key=_numbers_last, reverse=True):
            with suppress(KeyError, IndexError):  # already removed with its parent
                _remove(rest, path_of(details), is_missing=details["type"] == "missing")
        try:
            return model.model_validate(rest)
        except ValidationError as next_error:
            error = next_error
    return None


def reported(error: ValidationError) -> Iterator[Any]:
    """Yield pydantic's errors, except a list that is too short only because entries are faulty."""
    errors = error.errors(include_url=False)
    parents = {
        tuple(details["loc"][:depth]) for details in errors for depth in range(len(details["loc"]))
    }
    for details in errors:
        if details["type"] != "too_short" or details["loc"] not in parents:
            yield details


def path_of(details: Any) -> Path:
    """Return the path of the value that an error of pydantic is about."""
    return [part for part in details["loc"] if part != "[key]"]


def pattern_of(path: Path) -> tuple[str, ...]:
    """Return a path with `*` for each index."""
    return tuple("*" if isinstance(part, int) else part for part in path)


def _numbers_last(details: Any) -> list[tuple[bool, Any]]:
    return [(isinstance(part, int), part) for part in path_of(details)]


def _remove(rest: Any, path: Path, *, is_missing: bool) -> None:
    """Put the stand-in at a path, or delete what is there."""
    *parents, last = path
    parent: Any = rest
    for part in parents:
        parent = parent[part]
    stand_in = STAND_INS.get(pattern_of(path))
    is_bare_name = type(parent) not in (dict, list)
    if is_bare_name or (is_missing and stand_in is None):
        _remove(rest, parents, is_missing=False)
    elif stand_in is None:
        del parent[last]
    else:
        parent[last] = stand_in(max((part for part in path if isinstance(part, int)), default=0))
