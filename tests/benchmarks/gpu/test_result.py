"""A result: its bound, its row, and the way through a pipe."""

import pytest

from benchmarks.gpu.result import Result


@pytest.mark.parametrize(
    ("value", "target", "is_met"),
    [
        (0.98, "≥ 0.97", True),
        (0.96, "≥ 0.97", False),
        (0.5, "≤ 0.5", True),
        (0.51, "≤ 0.5", False),
        (1.0, "= 1", True),
        (0.0, "= 1", False),
        (0.0, "", True),
        (float("nan"), "≥ 0.97", False),
    ],
)
def test_value_is_compared_with_the_target(value: float, target: str, is_met: bool) -> None:
    assert Result("part", "name", value, target=target).is_met is is_met


def test_row_says_whether_the_target_is_met() -> None:
    missed = Result("training", "ratio", 0.9, target="≥ 0.97", note="9 / 10")
    assert missed.row() == "| training | ratio (9 / 10) | 0.9 | ≥ 0.97 | **missed** |"
    assert Result("a", "b|c", 2, "s").row() == "| a | b/c | 2 s |  |  |"


def test_line_is_parsed_back() -> None:
    result = Result("training", "ratio", 0.9, "1/s", "≥ 0.97", "9 / 10")
    assert Result.parse(result.line()) == result


@pytest.mark.parametrize("line", ["", "text", "[]", "{}", '{"part": "a"}', '{"other": 1}'])
def test_other_output_of_a_part_is_no_result(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Result.parse(line)
