"""The values of every step reach the caller once, in order, whenever they are read."""

import math

import pytest

from tests.worker.experiments import experiment
from worker.training import trainer
from worker.training.divergence import Diverged
from worker.training.epoch_sums import StepValues
from worker.training.fit import fit
from worker.training.reports import EpochEnded, Stepped

DIVERGING = {
    "optimizer": {"name": "sgd", "learning_rate": 1000, "momentum": 0.99},
    "architecture": {"name": "mlp", "hidden_units": [64] * 8},
}


def _values() -> list[StepValues]:
    reports = fit(experiment(regularizers={"l2": {"weight": 0.001}}))
    return [v for r in reports if isinstance(r, (Stepped, EpochEnded)) for v in r.values]


@pytest.mark.parametrize("capacity", [3, 50])
def test_values_are_the_same_whenever_they_are_read(
    monkeypatch: pytest.MonkeyPatch, capacity: int
) -> None:
    read_at_once = _values()
    assert [values.step for values in read_at_once] == [*range(1, 13)]
    monkeypatch.setitem(trainer.STEPS_BETWEEN_READINGS, "cpu", capacity)
    assert _values() == read_at_once


def test_norms_of_the_tensors_make_up_the_norm_of_the_gradient() -> None:
    for values in _values():
        assert len(values.gradient_norms) == 4
        assert math.hypot(*values.gradient_norms) == pytest.approx(values.gradient_norm)


@pytest.mark.parametrize("capacity", [1, 50])
def test_divergence_carries_the_values_up_to_its_step(
    monkeypatch: pytest.MonkeyPatch, capacity: int
) -> None:
    monkeypatch.setitem(trainer.STEPS_BETWEEN_READINGS, "cpu", capacity)
    with pytest.raises(Diverged) as raised:
        list(fit(experiment(**DIVERGING, training={"epochs": 50})))
    last = raised.value.values[-1]
    assert last.step == raised.value.step
    assert not math.isfinite(last.data_loss * last.gradient_norm)
