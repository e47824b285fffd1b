"""What a value of the wrong structure probably meant: a short form that does not exist."""

import re
from typing import Any

from api.catalog.corrections import (
    boolean_hint,
    choice_hint,
    did_you_mean,
    number_hint,
    number_meant,
)
from api.catalog.places import METRIC, folded, places
from api.http.faults import MAX_VALUE_LENGTH
from shared.datasets import FACTS

SPLITS = frozenset({"train", "validation", "test"})
#: pydantic's types of the error that a value is not a number.
NUMBER_TYPES = frozenset({"float_type", "number_type"})
#: A part that is an object → the field that a number in its place probably meant.
NUMBER_FIELDS = {
    "early_stopping": "patience",
    "gradient_clipping": "global_norm",
    "training": "epochs",
    "metrics": "top_k",
    "resources": "gpus",
}
#: A part that is an object → what to do with a list of names in its place.
LISTS = {"metrics": "; the accuracies and losses are always measured, so leave it out"}


def correction(path: list[int | str], kind: str, rule: str, value: Any, raw: Any) -> str:
    """Return the end of a fault that names what was probably meant; empty where nothing is near.

    Args:
        path: of the value.
        kind: pydantic's type of the error.
        rule: what the value must be.
        value: the value.
        raw: the whole request.
    """
    if path[0] == "dataset" and path[-1] in SPLITS and (text := _fraction(value, raw)):
        return text
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return _object(str(path[-1]), value)
    if kind == "tuple_type":
        return _list(str(path[-1]), value)
    return _text(kind, rule, value)


def _text(kind: str, rule: str, value: Any) -> str:
    """Return the correction of a text or another plain value."""
    if kind == "literal_error":
        return choice_hint(value, re.findall(r'"([^"]+)"', rule))
    if kind == "bool_type":
        return boolean_hint(value)
    if kind == "int_type" and isinstance(value, list) and len(set(map(str, value))) == 1:
        return did_you_mean(value[0]) if type(value[0]) is int else ""
    if kind == "string_pattern_mismatch":
        metrics = [
            place.name for place in places().get(folded(str(value)), ()) if place.noun == METRIC
        ]
        return did_you_mean(metrics[0]) if metrics and metrics[0] != value else ""
    return number_hint(value) if kind in NUMBER_TYPES else ""


def _list(name: str, value: Any) -> str:
    if name == "checkpoints":
        return did_you_mean([{"monitor": "val_loss"}])
    number = value if type(value) is int else number_meant(value)
    if number is not None:
        return did_you_mean([number])
    return did_you_mean([value]) if isinstance(value, str) and name == "features" else ""


def _object(name: str, value: Any) -> str:
    if name in ("regularizers", "augmentation"):
        names: list[Any] = value if isinstance(value, list) else [value]
        short = [name for name in names[:3] if isinstance(name, str)]
        is_short = all(len(name) < MAX_VALUE_LENGTH for name in short)
        return did_you_mean(dict.fromkeys(short, True)) if short and is_short else ""
    if name in LISTS and isinstance(value, list):
        return LISTS[name]
    field = NUMBER_FIELDS.get(name)
    if isinstance(value, bool):
        return (did_you_mean({}) if value else did_you_mean(None)) if field == "patience" else ""
    number = value if isinstance(value, int | float) else number_meant(value)
    if field is None or number is None:
        return ""
    return did_you_mean({field: [number] if field == "top_k" else number})


def _fraction(value: Any, raw: Any) -> str:
    """Return how many samples a fraction of a dataset is."""
    fraction = value if isinstance(value, float) else number_meant(value)
    if not isinstance(fraction, float) or not 0 < fraction < 1:
        return ""
    dataset = raw.get("dataset") if isinstance(raw, dict) else None
    name = dataset.get("name") if isinstance(dataset, dict) else None
    facts = FACTS.get(name) if isinstance(name, str) else None
    total = facts.train if facts else 0
    text = ", a number of samples and not a fraction"
    if not total:
        return text
    return f"{text}. Did you mean {round(fraction * total)}, which is {fraction:g} of {total:,}?"
