"""A declared normalization is accepted only if inputs can be normalized with it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.normalization import InputNormalization, parse


def test_normalization_of_a_checkpoint_is_parsed() -> None:
    declared = {"mean": [0.5, 0.25], "deviation": [0.1, 1], "largest": 1.0}
    assert parse(json.dumps(declared)) == InputNormalization((0.5, 0.25), (0.1, 1.0), 1.0)
    assert parse('{"mean": [0], "deviation": [1]}').largest == 255.0


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("nonsense", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("9" * 5000, "not JSON"),
        ("[]", "must be"),
        ({"mean": [0.5]}, "must be"),
        ({"mean": [], "deviation": []}, "0 means and 0 deviations"),
        ({"mean": [0.5], "deviation": [1, 1]}, "1 means and 2 deviations"),
        ({"mean": 0.5, "deviation": [1]}, "mean is not a list"),
        ({"mean": ["0.5"], "deviation": [1]}, "mean is not a list"),
        ({"mean": [True], "deviation": [1]}, "mean is not a list"),
        ({"mean": [float("nan")], "deviation": [1]}, "mean is not finite"),
        ({"mean": [0], "deviation": [float("inf")]}, "deviation is not finite"),
        ({"mean": [10**400], "deviation": [1]}, "too large"),
        ({"mean": [0], "deviation": [0]}, "deviation that is not greater"),
        ({"mean": [0, 0], "deviation": [1, -1]}, "deviation that is not greater"),
        ({"mean": [0], "deviation": [1], "largest": 0}, "largest that is not greater"),
        ({"mean": [0], "deviation": [1], "largest": None}, "largest is not a list"),
        ({"mean": [0], "deviation": [1e-300]}, "float32"),
        ({"mean": [1e20], "deviation": [1e-20]}, "float32"),
    ],
)
def test_unusable_normalization_is_refused(declared: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(declared if isinstance(declared, str) else json.dumps(declared))


@given(st.text() | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_any_other_text_is_refused_with_a_message_about_normalization(text: str) -> None:
    with pytest.raises(ValueError, match=r"^normalization"):
        parse(text)
