"""A filled-in specification, for tests of the tables."""

from typing import Any


def filled_in(**changes: Any) -> dict[str, Any]:
    """Return the fields of a specification that are stored in columns."""
    spec: dict[str, Any] = {
        "name": "a job",
        "priority": "normal",
        "tags": {},
        "dataset": {"name": "digits"},
        "architecture": {"name": "mlp"},
        "loss": {"name": "cross_entropy"},
        "checkpoints": [],
        "resources": {"gpus": 1},
    }
    return spec | changes
