"""A specification as MLflow's parameters."""

import re
from collections.abc import Iterator
from typing import Any

import orjson

MAX_KEY_LENGTH = 250
MAX_VALUE_LENGTH = 6000
NOT_ALLOWED_IN_KEYS = re.compile(r"[^\w./ -]", re.ASCII)


def parameters_of(spec: dict[str, Any]) -> dict[str, str]:
    """Return the specification with keys and values that MLflow accepts; empty texts are left out.

    What MLflow does not accept is replaced or cut: the original is in our database.
    """
    return {key_of(name): text[:MAX_VALUE_LENGTH] for name, text in flatten(spec) if text}


def flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each value of a specification as text, with its path such as `a.b.c`.

    Lists and empty objects are values, written as JSON.
    """
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value if isinstance(value, str) else orjson.dumps(value).decode()


def key_of(name: str) -> str:
    """Return the name as a key that MLflow accepts."""
    return NOT_ALLOWED_IN_KEYS.sub("_", name)[:MAX_KEY_LENGTH]
