"""Early stopping, and the learning rate that falls when a metric stops improving."""

from typing import Any

import pytest

from tests.worker.experiments import experiment
from worker.registry import SpecError
from worker.training.fit import fit
from worker.training.reports import EpochEnded
from worker.training.selection import Best, EarlyStopping, Patience, Plateau, PlateauRecord


def _factors(values: list[float], mode: Any = "min", **rule: Any) -> list[float]:
    """Return the factor on the learning rate after each of these epochs."""
    plateau, record = Plateau(Best("val_loss", mode), factor=0.5, **rule), PlateauRecord()
    factors = []
    for value in values:
        record = plateau.update(record, value)
        factors.append(record.factor)
    return factors


def test_factor_falls_after_patience_epochs_in_a_row_without_improvement() -> None:
    assert _factors([3, 3, 2, 2, 2, 2, 2], patience=2) == [1, 1, 1, 1, 0.5, 0.5, 0.25]


def test_higher_values_can_be_better() -> None:
    assert _factors([1, 2, 3, 2, 2], mode="max", patience=2) == [1, 1, 1, 1, 0.5]


def test_improvement_must_exceed_min_delta() -> None:
    assert _factors([1.0, 0.75, 0.5], patience=1, min_delta=0.25) == [1, 0.5, 0.5]


@pytest.mark.parametrize(
    ("cooldown", "patience", "factors"),
    [
        (0, 1, [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128]),
        (1, 1, [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128]),
        (2, 1, [1, 1 / 2, 1 / 2, 1 / 4, 1 / 4, 1 / 8, 1 / 8, 1 / 16]),
        (3, 1, [1, 1 / 2, 1 / 2, 1 / 2, 1 / 4, 1 / 4, 1 / 4, 1 / 8]),
        (0, 2, [1, 1, 1 / 2, 1 / 2, 1 / 4, 1 / 4, 1 / 8, 1 / 8]),
        (1, 2, [1, 1, 1 / 2, 1 / 2, 1 / 4, 1 / 4, 1 / 8, 1 / 8]),
        (2, 2, [1, 1, 1 / 2, 1 / 2, 1 / 2, 1 / 4, 1 / 4, 1 / 4]),
        (4, 2, [1, 1, 1 / 2, 1 / 2, 1 / 2, 1 / 2, 1 / 2, 1 / 4]),
    ],
)
def test_cooldown_counts_as_in_keras(cooldown: int, patience: int, factors: list[float]) -> None:
    """Keras counts the cooldown down before it counts the epoch, so its last epoch can be bad."""
    assert _factors([1.0] * 8, patience=patience, cooldown=cooldown) == factors


def test_improvement_during_the_cooldown_resets_the_patience_as_in_keras() -> None:
    values = [3.0, 3.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0]
    expected = [1, 1 / 2, 1 / 2, 1 / 2, 1 / 4, 1 / 4, 1 / 4, 1 / 8, 1 / 8]
    assert _factors(values, patience=1, cooldown=3) == expected


def test_improvement_counts_during_cooldown() -> None:
    plateau = Plateau(Best("val_loss", "min"), patience=1, cooldown=5)
    record = plateau.update(PlateauRecord(best=1.0, cooldown_epochs=3, factor=0.1), 0.5)
    assert record == PlateauRecord(best=0.5, bad_epochs=0, cooldown_epochs=2, factor=0.1)


def test_factor_never_falls_below_final() -> None:
    assert _factors([1, 1, 1, 1], patience=1, final=0.3) == [1, 0.5, 0.3, 0.3]


def test_nan_is_never_an_improvement() -> None:
    assert _factors([float("nan"), 1, float("nan")], patience=1) == [0.5, 0.5, 0.25]


def test_training_multiplies_the_plateau_onto_the_warm_up() -> None:
    schedule = {"name": "reduce_on_plateau", "mode": "max", "patience": 2, "factor": 0.5}
    training = experiment(
        optimizer={"name": "sgd", "learning_rate": 0.01, "schedule": {**schedule, "warmup": 8}},
        training={"epochs": 6, "batch_size": 8},
    )
    epochs = [report for report in fit(training) if isinstance(report, EpochEnded)]
    losses = [report.metrics["val_loss"] for report in epochs]
    assert losses == sorted(losses, reverse=True), "the first epoch must stay the best"
    rates = [report.metrics["learning_rate"] for report in epochs]
    assert rates == pytest.approx([0.005, 0.01, 0.01, 0.005, 0.005, 0.0025])


def test_unknown_metric_is_refused() -> None:
    schedule = {"name": "reduce_on_plateau", "monitor": "val_los"}
    with pytest.raises(SpecError, match="no metric 'val_los'"):
        experiment(optimizer={"name": "sgd", "schedule": schedule})


class TestEarlyStopping:
    def _records(self, values: list[float], **rule: Any) -> list[Patience]:
        """Return the record after each of these epochs."""
        stopping, record = EarlyStopping(Best("val_loss", "min"), **rule), Patience()
        records = []
        for value in values:
            record = stopping.update(record, value)
            records.append(record)
        return records

    def test_patience_is_exhausted_after_bad_epochs_in_a_row(self) -> None:
        records = self._records([3, 3, 2, 2, 2], patience=2)
        assert [record.bad_epochs for record in records] == [0, 1, 0, 1, 2]
        assert [record.is_exhausted for record in records] == [False] * 4 + [True]
        assert records[-1].best == 2

    def test_nan_is_a_bad_epoch(self) -> None:
        assert self._records([float("nan"), 1, float("nan")]) == [
            Patience(bad_epochs=1),
            Patience(best=1),
            Patience(best=1, bad_epochs=1),
        ]
