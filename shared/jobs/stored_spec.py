"""Whether the stored specification of a job is one of this version."""

from typing import Any

from pydantic import ValidationError

from shared.spec import JobSpec

#: The parts that every stored specification has, since admission fills them in.
FILLED = frozenset(
    ("name", "priority", "tags", "dataset", "architecture", "loss", "checkpoints", "resources")
)


def spec_fault(spec: dict[str, Any]) -> str | None:
    """Return why a stored specification cannot be used; None if it can.

    A newer version may have written fields or values that this version does not know.
    """
    missing = sorted(FILLED - spec.keys())
    if missing:
        return f"has no {missing[0]}"
    try:
        JobSpec.model_validate(spec)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = "/".join(["", *map(str, first["loc"])])
        return f"is no specification of this version: {place[:100]}: {first['msg'][:200]}"
    except RecursionError:
        return "is no specification of this version: it is nested too deeply"
    return None
