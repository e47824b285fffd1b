"""What weights say of their inputs is used only where inputs can be normalised with it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.normalization import InputNormalization, parse


def test_what_our_checkpoints_say_is_read() -> None:
    said = {"mean": [0.5, 0.25], "deviation": [0.1, 1], "largest": 1.0}
    assert parse(json.dumps(said)) == InputNormalization((0.5, 0.25), (0.1, 1.0), 1.0)
    assert parse('{"mean": [0], "deviation": [1]}').largest == 255.0


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("nonsense", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("9" * 5000, "not JSON"),
        ("[]", "is not"),
        ({"mean": [0.5]}, "is not"),
        ({"mean": [], "deviation": []}, "0 means and 0 deviations"),
        ({"mean": [0.5], "deviation": [1, 1]}, "1 means and 2 deviations"),
        ({"mean": 0.5, "deviation": [1]}, "mean is not a list"),
        ({"mean": ["0.5"], "deviation": [1]}, "mean is not a list"),
        ({"mean": [True], "deviation": [1]}, "mean is not a list"),
        ({"mean": [float("nan")], "deviation": [1]}, "mean is not finite"),
        ({"mean": [0], "deviation": [float("inf")]}, "deviation is not finite"),
        ({"mean": [10**400], "deviation": [1]}, "larger than any"),
        ({"mean": [0], "deviation": [0]}, "deviation that is not more"),
        ({"mean": [0, 0], "deviation": [1, -1]}, "deviation that is not more"),
        ({"mean": [0], "deviation": [1], "largest": 0}, "largest that is not more"),
        ({"mean": [0], "deviation": [1], "largest": None}, "largest is not a list"),
        ({"mean": [0], "deviation": [1e-300]}, "float32"),
        ({"mean": [1e20], "deviation": [1e-20]}, "float32"),
    ],
)
def test_what_is_absurd_is_refused(said: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parse(said if isinstance(said, str) else json.dumps(said))


@given(st.text() | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^normalization"):
        parse(text)
