"""Names for MLflow: accepted, never equal for two texts, and unchanged where that is possible."""

import itertools

import pytest
from mlflow.utils.validation import _validate_param, _validate_tag

from worker.tracking.names import MAX_NAME_LENGTH, name_of

#: Every kind of character that a name replaces, and what a replacement consists of.
PIECES = ["a", "_", "_x", "_x3d_", "3d", ".", "/", " ", ":", "-", "=", '"', "é", "e\u0301", "😀"]


def test_names_of_different_texts_are_different_and_accepted() -> None:
    texts = {
        "".join(pieces)
        for length in (1, 2, 3, 4)
        for pieces in itertools.product(PIECES, repeat=length)
    }

    for prefix in ("tag.", ""):
        names = {name_of(text, prefix) for text in texts}
        assert len(names) == len(texts)
        for name in names:
            _validate_tag(name, "")
            _validate_param(name, "")


@pytest.mark.parametrize("text", ["team", "vision/2d", "conv1.weight", "größe", "a_b-c d", "k:v"])
def test_an_ordinary_name_stays_as_it_is(text: str) -> None:
    assert name_of(text) == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("team/", "tag.team_x2f_"),
        ("a//b", "tag.a/_x2f_b"),
        ("a=b", "tag.a_x3d_b"),
        ('a"b', "tag.a_x22_b"),
        (" ", "tag._x20_"),
        ("a/../b", "tag.a/_x2e__x2e_/b"),
        ("_x3d_", "tag._x5f_x3d_"),
        ("mlflow.runName", "tag.mlflow.runName"),
    ],
)
def test_what_mlflow_refuses_is_replaced_by_its_code_point(text: str, name: str) -> None:
    assert name_of(text, "tag.") == name


def test_long_names_that_begin_alike_are_cut_and_stay_different() -> None:
    names = {name_of("😀" * 63 + last, "tag.") for last in "😀ab"} | {name_of("a" * 300)}
    assert len(names) == 4
    assert {len(name) for name in names} == {MAX_NAME_LENGTH}
