"""Figures on the wire."""

import math

import pytest

from worker.wire import number, split_of


@pytest.mark.parametrize(
    ("value", "carried"),
    [
        (1.5, 1.5),
        (-0.25, -0.25),
        (None, None),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
    ],
)
def test_what_is_not_finite_is_carried_as_text(
    value: float | None, carried: float | str | None
) -> None:
    assert number(value) == carried


@pytest.mark.parametrize(
    ("metric", "split"),
    [
        ("train_loss", "train"),
        ("val_loss", "validation"),
        ("test_top_5_accuracy", "test"),
        ("learning_rate", None),
        ("trainer", None),
    ],
)
def test_a_metric_s_name_says_of_which_split_it_is(metric: str, split: str | None) -> None:
    assert split_of(metric) == split
