"""Stand-ins for the sidecar where a test admits specifications without one."""

from typing import Any


def nobody(question: dict[str, Any]) -> dict[str, Any]:
    """Is not to be asked."""
    raise AssertionError(f"the sidecar was asked {question}")
