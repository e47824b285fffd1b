"""The range test of the learning rate on fast and slow machines."""

from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.diagnostics.runs import experiment_of, filled
from worker.diagnostics.demos import on_digits
from worker.diagnostics.readings import RangeTest
from worker.runner.diagnosis import trials

SECONDS = 10.0


def range_test_with(monkeypatch: pytest.MonkeyPatch, step_seconds: float) -> RangeTest | None:
    """Run a range test in which every step takes a given time, and the first ten times as long."""
    now, losses_of_steps = [0.0], trials.losses_of_steps

    def slow(*arguments: Any, **keywords: Any) -> Iterator[float]:
        for index, loss in enumerate(losses_of_steps(*arguments, **keywords)):
            now[0] += step_seconds * (1 if index else 10)
            yield loss

    monkeypatch.setattr(trials, "losses_of_steps", slow)
    monkeypatch.setattr(trials.time, "monotonic", lambda: now[0])
    experiment = experiment_of(filled(on_digits(seed=0)))
    weights = {name: each.clone() for name, each in experiment.model.state_dict().items()}
    return trials.range_test(experiment, experiment.stages[0], weights, seconds=SECONDS)


def rates_of(found: RangeTest | None) -> tuple[float, float]:
    """Return the suggested and the diverging rate, both of which there must be."""
    assert found is not None
    assert found.suggested is not None
    assert found.diverging is not None
    return found.suggested, found.diverging


def test_slow_steps_make_a_shorter_test_with_nearly_the_same_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as context:
        usual = range_test_with(context, 0.001)
    with monkeypatch.context() as context:
        short = range_test_with(context, SECONDS / 50)
    assert usual is not None
    assert short is not None
    assert len(short.curve) <= 50 < len(usual.curve)
    for found, expected in zip(rates_of(short), rates_of(usual), strict=True):
        assert expected / 4 < found < 4 * expected


def test_steps_that_are_far_too_slow_give_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert range_test_with(monkeypatch, SECONDS / 4) is None
