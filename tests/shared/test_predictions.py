"""The file of predictions: the most confident of the wanted predictions."""

import math
from pathlib import Path

import pytest

from shared import predictions
from shared.predictions import Prediction


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file of predictions, the third of which has a score that is not finite."""
    path = tmp_path / "predictions.bin"
    probabilities = [0.5, 0.9, math.nan, 0.9, 0.7]
    rows = [Prediction(10 + n, n % 2, (1, 0), (p, 1 - p)) for n, p in enumerate(probabilities)]
    predictions.write(path, rows)
    return path


@pytest.mark.parametrize("chunk", [1, 2, 4096])
def test_highest_probabilities_come_first_and_those_that_are_not_finite_last(
    path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(predictions, "CHUNK", chunk)
    found, count = predictions.most_confident(path, lambda _: True)
    assert [row.sample for row in found] == [11, 13, 14, 10, 12]
    assert count == 5


def test_page_has_only_what_is_wanted_and_the_count_is_of_all_pages(path: Path) -> None:
    found, count = predictions.most_confident(path, lambda p: not p.is_right, first=1, limit=1)
    assert [row.sample for row in found] == [10]
    assert count == 3
    beyond = predictions.most_confident(path, lambda p: p.is_right, first=9)
    assert beyond == ([], 2)


def test_file_that_is_cut_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="size of 5 predictions"):
        predictions.most_confident(path, lambda _: True)
