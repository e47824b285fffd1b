"""The learning rate that falls when a metric stops improving."""

from typing import Any

import pytest

from tests.worker.experiments import experiment
from worker.training.fit import fit
from worker.training.reports import EpochEnded
from worker.training.selection import Best, Plateau, PlateauRecord


def _factors(values: list[float], mode: Any = "min", **rule: Any) -> list[float]:
    """The factor that holds after each of these epochs."""
    plateau, record = Plateau(Best("val_loss", mode), factor=0.5, **rule), PlateauRecord()
    factors = []
    for value in values:
        record = plateau.update(record, value)
        factors.append(record.factor)
    return factors


def test_it_falls_after_so_many_epochs_in_a_row_without_improvement() -> None:
    assert _factors([3, 3, 2, 2, 2, 2, 2], patience=2) == [1, 1, 1, 1, 0.5, 0.5, 0.25]


def test_larger_may_be_better() -> None:
    assert _factors([1, 2, 3, 2, 2], mode="max", patience=2) == [1, 1, 1, 1, 0.5]


def test_an_improvement_is_by_more_than_min_delta() -> None:
    assert _factors([1.0, 0.75, 0.5], patience=1, min_delta=0.25) == [1, 0.5, 0.5]


def test_epochs_of_the_cooldown_do_not_count() -> None:
    assert _factors([1, 1, 1, 1, 1, 1], patience=1, cooldown=2) == [1, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_an_improvement_counts_in_the_cooldown() -> None:
    plateau = Plateau(Best("val_loss", "min"), patience=1, cooldown=5)
    record = plateau.update(PlateauRecord(best=1.0, cooldown_epochs=3, factor=0.1), 0.5)
    assert record == PlateauRecord(best=0.5, bad_epochs=0, cooldown_epochs=2, factor=0.1)


def test_it_never_falls_below_the_final_share() -> None:
    assert _factors([1, 1, 1, 1], patience=1, final=0.3) == [1, 0.5, 0.3, 0.3]


def test_a_figure_that_is_no_number_never_improves() -> None:
    assert _factors([float("nan"), 1, float("nan")], patience=1) == [0.5, 0.5, 0.25]


def test_a_training_follows_it_with_the_warm_up_on_top() -> None:
    schedule = {"name": "reduce_on_plateau", "mode": "max", "patience": 2, "factor": 0.5}
    training = experiment(
        optimizer={"name": "sgd", "learning_rate": 0.01, "schedule": {**schedule, "warmup": 8}},
        training={"epochs": 6, "batch_size": 8},
    )
    epochs = [report for report in fit(training) if isinstance(report, EpochEnded)]
    losses = [report.metrics["val_loss"] for report in epochs]
    assert losses == sorted(losses, reverse=True), "so no epoch but the first is the best"
    rates = [report.metrics["learning_rate"] for report in epochs]
    assert rates == pytest.approx([0.005, 0.01, 0.01, 0.005, 0.005, 0.0025])


def test_a_metric_that_there_is_not_is_refused() -> None:
    schedule = {"name": "reduce_on_plateau", "monitor": "val_los"}
    with pytest.raises(ValueError, match="no metric 'val_los'"):
        experiment(optimizer={"name": "sgd", "schedule": schedule})
