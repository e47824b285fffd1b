"""The first requests, sent to ourselves: torch loads many of its parts on first use."""

from worker.registry import architectures, optimizers
from worker.sidecar.operations.describe import describe


def warm_up() -> None:
    """Describe each small architecture once."""
    optimizer = {"name": "sgd", **optimizers.get("sgd").defaults}
    for entry in architectures.entries().values():
        if entry.facts.get("heavy", False):
            continue
        at = entry.facts["parameter_count_at"]
        describe(
            {
                "architecture": {"name": entry.name, **entry.defaults},
                "image": [at["channels"], at["image_size"], at["image_size"]],
                "classes": at["classes"],
                "batch_size": 2,
                "optimizers": [optimizer],
            }
        )
