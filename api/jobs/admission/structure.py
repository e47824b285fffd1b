"""Faults of a specification's structure, in our words, from what pydantic found."""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from api.catalog.methods import Faults, nearest, shown
from api.http.json_pointer import escape
from shared.errors import MOST_FAULTS, Fault
from shared.spec import (
    CheckpointSpec,
    ClippingSpec,
    DatasetSpec,
    EarlyStoppingSpec,
    FineTuningSpec,
    HeadSpec,
    JobSpec,
    MetricsSpec,
    ResourcesSpec,
    StageSpec,
    TensorBoardSpec,
    TrackingSpec,
    TrainingSpec,
    WeightsSpec,
)

Part = TypeVar("Part", bound=BaseModel)
Models = Mapping[tuple[str, ...], type[BaseModel]]

MODELS: Models = {
    (): JobSpec,
    ("dataset",): DatasetSpec,
    ("training",): TrainingSpec,
    ("training", "early_stopping"): EarlyStoppingSpec,
    ("optimizer", "gradient_clipping"): ClippingSpec,
    ("metrics",): MetricsSpec,
    ("tracking",): TrackingSpec,
    ("tracking", "tensorboard"): TensorBoardSpec,
    ("resources",): ResourcesSpec,
    ("checkpoints", "*"): CheckpointSpec,
    ("fine_tuning",): FineTuningSpec,
    ("fine_tuning", "weights"): WeightsSpec,
    ("fine_tuning", "head"): HeadSpec,
    ("fine_tuning", "stages", "*"): StageSpec,
    ("fine_tuning", "stages", "*", "early_stopping"): EarlyStoppingSpec,
    ("fine_tuning", "stages", "*", "optimizer", "gradient_clipping"): ClippingSpec,
}


UNKNOWN = "what_is_at_fault"
#: As many as there may be: no warm-up is too long for it.
EPOCHS = 100_000
#: What is put where something is at fault that cannot be left out, or whose place others count by;
#: made of the place. No other check finds fault with it.
STAND_INS: Mapping[tuple[str, ...], Callable[[int], Any]] = {
    ("dataset",): lambda _: {"name": UNKNOWN},
    ("dataset", "name"): lambda _: UNKNOWN,
    ("architecture",): lambda _: {"name": UNKNOWN},
    ("architecture", "name"): lambda _: UNKNOWN,
    ("training", "epochs"): lambda _: EPOCHS,
    ("checkpoints", "*"): lambda _: {"epoch": 0},
    ("metrics", "top_k", "*"): lambda _: 1,
    ("fine_tuning", "stages", "*"): lambda at: {"name": f"{UNKNOWN}_{at}", "epochs": EPOCHS},
    ("fine_tuning", "stages", "*", "name"): lambda at: f"{UNKNOWN}_{at}",
    ("fine_tuning", "stages", "*", "epochs"): lambda _: EPOCHS,
}
#: More than a specification has levels: what is left out may leave something without its parts.
ROUNDS = 10

#: What is wrong, in our words, by pydantic's name of it and with the bound it gives.
WORDS: Mapping[str, str] = {
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
    "tuple_type": "must be a list",
    "string_type": "must be a text",
    "int_type": "must be an integer",
    "int_from_float": "must be an integer",
    "int_parsing_size": "must be an integer of at most 64 bits",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "must be of the form {pattern}",
    "string_too_short": "must have {min_length} or more characters",
    "too_short": "must have {min_length} or more entries",
}
#: The same where the value is too long to be shown; its length is.
LENGTHS: Mapping[str, str] = {
    "string_too_long": "must have at most {max_length} characters, and has {length}",
    "too_long": "must have at most {max_length} entries, and has {length}",
}


def faults_of(error: ValidationError, models: Models = MODELS) -> Faults:
    """Every fault with its pointer, or one more than are named in an answer.

    Args:
        error: what pydantic found.
        models: which model stands where, so that an unknown field meets the known ones.
    """
    found = error.errors(include_url=False)
    return [_fault(one, models) for one in islice(_told(found), MOST_FAULTS + 1)]


def mended(raw: dict[str, Any], model: type[Part], error: ValidationError) -> Part | None:
    """The model without the values that are at fault, so that the rest can be checked.

    What is required has a stand-in; where it has none, what requires it is left out as well.

    Args:
        raw: the object as it came.
        model: what it should be.
        error: what pydantic found.
    """
    rest = copy.deepcopy(raw)
    for _ in range(ROUNDS):
        found = _told(error.errors(include_url=False))
        # From the back, so that places in a list stay what they are.
        for one in sorted(found, key=_numbers_last, reverse=True):
            with suppress(KeyError, IndexError):  # it is gone already
                _take_out(rest, _place(one), is_missing=one["type"] == "missing")
        try:
            return model.model_validate(rest)
        except ValidationError as again:
            error = again
    return None


def _numbers_last(one: Any) -> list[tuple[bool, Any]]:
    return [(isinstance(part, int), part) for part in _place(one)]


def _take_out(rest: Any, place: list[int | str], *, is_missing: bool) -> None:
    """Put its stand-in at a place, or delete what is there."""
    *way, last = place
    around: Any = rest
    for part in way:
        around = around[part]
    stand_in = STAND_INS.get(_pattern(place))
    is_short = type(around) not in (dict, list)  # a bare name, which has no parts
    if is_short or (is_missing and stand_in is None):
        _take_out(rest, way, is_missing=False)
    elif stand_in is None:
        del around[last]
    else:
        around[last] = stand_in(max((part for part in place if isinstance(part, int)), default=0))


def _told(found: list[Any]) -> Iterator[Any]:
    """The faults that are told: a list is too short only as its entries are, which are named."""
    beneath = {tuple(one["loc"][:depth]) for one in found for depth in range(len(one["loc"]))}
    for one in found:
        if one["type"] != "too_short" or one["loc"] not in beneath:
            yield one


def _place(one: Any) -> list[int | str]:
    return [part for part in one["loc"] if part != "[key]"]


def _pattern(place: list[int | str]) -> tuple[str, ...]:
    """Where a place is in any specification."""
    return tuple("*" if isinstance(part, int) else part for part in place)


def _fault(one: Any, models: Models) -> Fault:
    place, kind, value = _place(one), one["type"], one["input"]
    pointer = "".join(f"/{escape(str(part))}" for part in place)
    if kind == "missing":
        return Fault(pointer, "is missing")
    if kind == "extra_forbidden":
        parent = models.get(_pattern(place[:-1]))
        fields = parent.model_fields if parent is not None else ()
        return Fault(pointer, f"is not a field; {nearest(str(place[-1]), fields)}")
    bounds = one.get("ctx", {})
    if kind in LENGTHS:
        return Fault(pointer, LENGTHS[kind].format(**bounds, length=len(value)))
    text = one["msg"].removeprefix("Value error, ")
    if kind in WORDS:
        text = WORDS[kind].format(**{name: _plain(bound) for name, bound in bounds.items()})
    return Fault(pointer, f"{text}, and is {shown(value)}")


def _plain(bound: Any) -> Any:
    """1000 and not 1000.0."""
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound
