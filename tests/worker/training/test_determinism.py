"""Whether the bits are those of a training that was never stopped, and who says so."""

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
    """An operation that torch has no deterministic implementation of, on any device."""
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


class TestAnOperationWithoutPromise:
    def test_is_told_once(self) -> None:
        (note,) = _notes(_noisy())
        assert note.startswith("PyTorch has no deterministic implementation of put_ on this device")

    @pytest.mark.parametrize("step", [1, STEPS_OF_AN_EPOCH])
    def test_is_told_after_a_resume_if_it_was_not_before(self, step: int) -> None:
        """No epoch had ended, so no note was written."""
        assert len(_notes(_noisy(), _at(step, _noisy()))) == 1

    def test_is_not_told_again_after_a_resume(self) -> None:
        assert _notes(_noisy(), _at(STEPS_OF_AN_EPOCH + 1, _noisy())) == []

    def test_is_in_what_the_last_bits_depend_on(self) -> None:
        assert _end(_noisy()) == {**OWN, "operations": "put_"}
        assert _end(experiment()) == OWN

    def test_makes_a_resume_inexact(self) -> None:
        assert _end(_noisy(), _at(2, _noisy())) == {
            **OWN,
            "operations": "put_",
            "resumed": "inexactly",
        }

    def test_is_in_the_log_once_however_many_steps_there_are(self) -> None:
        with pytest.warns(UserWarning, match="put_ does not have a deterministic") as told:
            list(fit(_noisy()))
        assert len(told) == 1

    def test_is_no_matter_where_nobody_asked_for_the_same_bits(self) -> None:
        training = replace(_noisy(), deterministic=False)
        assert _notes(training) == []


class TestAResume:
    def test_on_the_same_machine_is_exact(self) -> None:
        assert _end(experiment(), _at(2, experiment())) == OWN

    def test_on_another_machine_is_not_nor_is_any_after_it(self, tmp_path: Path) -> None:
        first = replace(_at(2, experiment()), fingerprint=ELSEWHERE)
        second = _at(5, experiment(), first)
        save(second, tmp_path / "second")
        third = _at(7, experiment(), load(tmp_path / "second"))
        assert _end(experiment(), third) == {**OWN, "resumed": "inexactly"}

    def test_from_a_checkpoint_that_was_never_passed_on_is_exact_again(self) -> None:
        """What was trained on the other machine is lost, and with it what was inexact."""
        first = _at(2, experiment())
        _at(5, experiment(), replace(first, fingerprint=ELSEWHERE))
        assert _end(experiment(), first) == OWN


def test_the_warnings_of_others_are_shown_as_ever() -> None:
    show, filters = warnings.showwarning, list(warnings.filters)
    generator = fit(experiment())
    next(generator)
    assert warnings.showwarning is not show
    with pytest.warns(UserWarning, match="another"):
        warnings.warn("another", UserWarning, stacklevel=1)
    generator.close()
    assert (warnings.showwarning, list(warnings.filters)) == (show, filters)


def test_a_resume_is_not_exact_where_nobody_asked_for_the_same_bits() -> None:
    """Then torch does not say which of its operations give others."""
    training = replace(experiment(), deterministic=False)
    assert _end(training, _at(2, training))["resumed"] == "inexactly"
    assert "resumed" not in _end(training)
