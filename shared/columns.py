"""The columns of a table: which names they may have, and how a file of weights records them."""

import json
from collections.abc import Mapping
from typing import Any

from shared.spec.fields import MAX_COLUMN_NAME_LENGTH, check_text

#: The key of the feature columns in the metadata of a file of weights: a JSON list, in the order
#: of the network's inputs.
METADATA_KEY = "features"


def is_table(dataset: Mapping[str, Any]) -> bool:
    """Return whether the data set of a filled specification is a table."""
    return bool(dataset.get("features"))


def name_problem(name: str) -> str | None:
    """Return why a specification cannot contain a column of this name, or None."""
    if not name:
        return "has no name"
    if len(name) > MAX_COLUMN_NAME_LENGTH:
        return (
            f"has a name of {len(name):,} characters; at most {MAX_COLUMN_NAME_LENGTH} are allowed"
        )
    try:
        check_text(name)
    except ValueError as error:
        return f"has an unusable name: {error}"
    return None


def parse_features(text: str) -> tuple[str, ...] | None:
    """Return the feature columns in the metadata of a file; None where it is no list of names."""
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(names, list) or not names:
        return None
    if any(not isinstance(name, str) or name_problem(name) for name in names):
        return None
    return tuple(names) if len(set(names)) == len(names) else None
