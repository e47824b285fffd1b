"""Changes of a job from the command line: `trainshed set JOB priority=high tags.group=vision`."""

from typing import Any

from trainshed.errors import WrongUsage
from trainshed.spec_changes import json_or_text


def read_changes(texts: list[str]) -> dict[str, Any]:
    """Return the changes as the API takes them.

    Args:
        texts: each FIELD=VALUE. `tags.KEY=VALUE` changes one tag. The value null removes a tag,
            or sets a field to its default.

    Raises:
        WrongUsage: a text is not FIELD=VALUE.
    """
    changes: dict[str, Any] = {}
    for text in texts:
        field, equals_sign, given = text.partition("=")
        if not equals_sign or not field:
            raise WrongUsage(f"{text!r} must be FIELD=VALUE, as in priority=high.")
        value = None if given == "null" else given
        if field.startswith("tags."):
            changes.setdefault("tags", {})[field.removeprefix("tags.")] = value
        elif field in ("max_runtime_seconds", "allow_inexact"):
            changes[field] = json_or_text(given)
        else:
            changes[field] = value
    return changes
