"""An analysis that is stopped at any moment and resumed has the same result, bit for bit."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.worker.analyses.subjects import analyse, network, subject
from worker.analyses import curvature, lanczos, predictions
from worker.analyses.outcome import Outcome
from worker.analyses.partial_results import Part, PartialResults
from worker.analyses.subject import Stopped
from worker.registry import analyses
from worker.training.experiment import Experiment

#: Parameters with which each kind is short and has several parts.
SHORT: dict[str, dict[str, Any]] = {
    "curvature": {"samples": 64, "iterations": 6, "probes": 2},
    "loss_surface": {"samples": 64, "directions": 2, "points": 3, "grid": 3},
    "loss_path": {"samples": 64, "points": 5},
    "loss_estimate": {"resamples": 200},
    "label_errors": {},
}


class Interrupted(PartialResults):
    """Stops the analysis after so many changes, as a kill would, with copies of all parts."""

    def __init__(self, known: Mapping[str, Part], changes: int) -> None:
        super().__init__(known)
        self.left = changes
        self.on_change = self._count

    def _count(self) -> None:
        self.left -= 1
        if not self.left:
            raise Stopped

    def copies(self) -> dict[str, dict[str, Tensor]]:
        return {
            name: {key: tensor.clone() for key, tensor in part.items()}
            for name, part in self.parts.items()
        }


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "PIECE_PIXELS", 64)
    monkeypatch.setattr(predictions, "MIN_PIECE", 48)


def _analyse(training: Experiment, kind: str, partial: PartialResults) -> Outcome:
    before = {name: torch.zeros_like(t) for name, t in training.model.state_dict().items()}
    analysed = subject(training, load_weights=lambda _: before, partial=partial)
    return analyse(kind, analysed, **SHORT[kind])


def _assert_equal(first: Outcome, second: Outcome) -> None:
    assert first.result == second.result
    assert first.summary == second.summary
    assert first.arrays.keys() == second.arrays.keys()
    for name, tensor in first.arrays.items():
        assert torch.equal(tensor, second.arrays[name]), name


@pytest.mark.parametrize("kind", sorted(analyses.entries()))
def test_an_analysis_that_is_stopped_after_every_part_has_the_same_result(kind: str) -> None:
    training = network()
    undisturbed = PartialResults()
    expected = _analyse(training, kind, undisturbed)
    known: dict[str, dict[str, Tensor]] = {}
    attempts, outcome = 0, None
    while outcome is None:
        attempts += 1
        partial = Interrupted(known, changes=1)
        try:
            outcome = _analyse(training, kind, partial)
        except Stopped:
            assert len(partial.parts) > 0
            known = partial.copies()
    assert attempts > 3
    _assert_equal(outcome, expected)
    assert known.keys() == undisturbed.parts.keys()


def test_without_a_basis_the_curvature_is_resumed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanczos, "MAX_BASIS_BYTES", 0)
    training = network()
    expected = _analyse(training, "curvature", PartialResults())
    partial = Interrupted({}, changes=8)
    with pytest.raises(Stopped):
        _analyse(training, "curvature", partial)
    assert "spectrum/state" in partial.parts
    _assert_equal(_analyse(training, "curvature", PartialResults(partial.copies())), expected)


def test_what_is_known_is_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    training, partial = network(), PartialResults()
    expected = _analyse(training, "curvature", partial)

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a product was computed again")

    monkeypatch.setattr(curvature.Objective, "product", fail)
    monkeypatch.setattr(curvature.Objective, "gradient", fail)
    resumed = PartialResults(partial.parts)
    _assert_equal(_analyse(training, "curvature", resumed), expected)
    assert not resumed.has_computed
    assert not any(name.endswith("/state") for name in partial.parts), "states take memory"
