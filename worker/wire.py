"""Figures as JSON carries them: a value that is not finite is a string."""

import math


def number(value: float | None) -> float | str | None:
    """The value itself, or "nan", "inf", "-inf"."""
    if value is None or math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")


def split_of(metric: str) -> str | None:
    """Which split a metric is of, by its name."""
    prefixes = {"train_": "train", "val_": "validation", "test_": "test"}
    return next((split for prefix, split in prefixes.items() if metric.startswith(prefix)), None)
