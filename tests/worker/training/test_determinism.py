"""When the last bits of a resumed job may differ, and how that is reported."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.worker.experiments import experiment
from worker.training.checkpoint import load, save
from worker.training.experiment import Experiment
from worker.training.fit import fit
from worker.training.reports import EpochEnded, Fitted, Report, Stepped
from worker.training.seed import machine_fingerprint
from worker.training.state import TrainingState

STEPS_OF_AN_EPOCH = 4
OWN = machine_fingerprint(torch.device("cpu"))
ELSEWHERE = {**OWN, "device": "another"}


def _put(pixels_NCHW: Tensor) -> Tensor:
    """Use an operation without a deterministic implementation on any device."""
    return pixels_NCHW.put_(torch.tensor([0]), torch.tensor([3.0]))


def _noisy() -> Experiment:
    return replace(experiment(), augment=_put)


def _reports(training: Experiment, state: TrainingState | None = None) -> Iterator[Report]:
    with warnings.catch_warnings(record=True):
        yield from fit(training, state=state)


def _at(step: int, training: Experiment, state: TrainingState | None = None) -> TrainingState:
    return next(
        report.snapshot()
        for report in _reports(training, state)
        if isinstance(report, Stepped) and report.step == step
    )


def _end(training: Experiment, state: TrainingState | None = None) -> dict[str, str]:
    return next(
        report.snapshot().fingerprint
        for report in _reports(training, state)
        if isinstance(report, Fitted)
    )


def _notes(training: Experiment, state: TrainingState | None = None) -> list[str]:
    return [
        note
        for report in _reports(training, state)
        if isinstance(report, EpochEnded)
        for note in report.notes
    ]


class TestNondeterministicOperation:
    def test_is_noted_once(self) -> None:
        (note,) = _notes(_noisy())
        assert note.startswith("PyTorch has no deterministic implementation of put_ on this device")

    @pytest.mark.parametrize("step", [1, STEPS_OF_AN_EPOCH])
    def test_is_noted_after_a_resume_if_it_was_not_noted_before(self, step: int) -> None:
        """No epoch ended before the resume, so no note was written."""
        assert len(_notes(_noisy(), _at(step, _noisy()))) == 1

    def test_is_not_noted_again_after_a_resume(self) -> None:
        assert _notes(_noisy(), _at(STEPS_OF_AN_EPOCH + 1, _noisy())) == []

    def test_is_in_the_fingerprint(self) -> None:
        assert _end(_noisy()) == {**OWN, "operations": "put_"}
        assert _end(experiment()) == OWN

    def test_makes_a_resume_inexact(self) -> None:
        assert _end(_noisy(), _at(2, _noisy())) == {
            **OWN,
            "operations": "put_",
            "resumed": "inexactly",
        }

    def test_is_logged_once(self) -> None:
        with pytest.warns(UserWarning, match="put_ does not have a deterministic") as caught:
            list(fit(_noisy()))
        assert len(caught) == 1

    def test_is_not_noted_without_deterministic_algorithms(self) -> None:
        training = replace(_noisy(), deterministic=False)
        assert _notes(training) == []


class TestResume:
    def test_on_the_same_machine_is_exact(self) -> None:
        assert _end(experiment(), _at(2, experiment())) == OWN

    def test_on_another_machine_is_inexact_and_so_is_every_later_resume(
        self, tmp_path: Path
    ) -> None:
        first = replace(_at(2, experiment()), fingerprint=ELSEWHERE)
        second = _at(5, experiment(), first)
        save(second, tmp_path / "second")
        third = _at(7, experiment(), load(tmp_path / "second"))
        assert _end(experiment(), third) == {**OWN, "resumed": "inexactly"}

    def test_from_an_earlier_checkpoint_of_the_same_machine_is_exact_again(self) -> None:
        """The steps on the other machine are lost, and with them the reason for inexactness."""
        first = _at(2, experiment())
        _at(5, experiment(), replace(first, fingerprint=ELSEWHERE))
        assert _end(experiment(), first) == OWN


def test_other_warnings_are_shown_as_usual() -> None:
    show, filters = warnings.showwarning, list(warnings.filters)
    generator = fit(experiment())
    next(generator)
    assert warnings.showwarning is not show
    with pytest.warns(UserWarning, match="another"):
        warnings.warn("another", UserWarning, stacklevel=1)
    generator.close()
    assert (warnings.showwarning, list(warnings.filters)) == (show, filters)


def test_resume_without_deterministic_algorithms_is_inexact() -> None:
    """Then torch does not warn of operations whose bits differ."""
    training = replace(experiment(), deterministic=False)
    assert _end(training, _at(2, training))["resumed"] == "inexactly"
    assert "resumed" not in _end(training)
