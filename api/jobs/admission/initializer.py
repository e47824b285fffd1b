"""The initializer, with others for the layers whose names match a pattern."""

from typing import Any

from api.http.json_pointer import pointer
from api.jobs.admission.draft import Draft

RESERVED = frozenset({"overrides"})


def choose(draft: Draft) -> None:
    """Fill in the initializer and its overrides."""
    raw = draft.posted("initializer")
    chosen = draft.choice("initializers", raw, "/initializer", reserved=RESERVED)
    overrides = raw.get("overrides") if isinstance(raw, dict) else None
    filled: dict[str, Any] = {}
    for pattern, override in overrides.items() if isinstance(overrides, dict) else ():
        if draft.faults.is_full:
            break
        at = pointer("initializer", "overrides", pattern)
        filled[pattern] = draft.choice("initializers", override, at)
    draft.filled["initializer"] = chosen and {**chosen, "overrides": filled}
