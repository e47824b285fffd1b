"""Figures read late give the same bits as figures read at once."""

import pytest

from tests.worker.experiments import experiment, vgg
from worker.training import trainer
from worker.training.fit import fit
from worker.training.metrics import split_of
from worker.training.reports import EpochEnded, Stepped

CLOCKS = {"seconds", "images_per_second"}


def _metrics(*, snapshots: bool = False) -> list[dict[str, float]]:
    ended = []
    for report in fit(experiment(architecture=vgg(), regularizers={"l1": {"weight": 0.001}})):
        if snapshots and isinstance(report, Stepped) and report.step % 3 == 0:
            report.snapshot()
        if isinstance(report, EpochEnded):
            ended.append({n: v for n, v in report.metrics.items() if n not in CLOCKS})
    return ended


@pytest.mark.parametrize("capacity", [3, 50])
def test_when_they_are_read_changes_nothing(monkeypatch: pytest.MonkeyPatch, capacity: int) -> None:
    at_once = _metrics()
    monkeypatch.setitem(trainer.STEPS_BETWEEN_READINGS, "cpu", capacity)
    assert _metrics() == at_once
    assert _metrics(snapshots=True) == at_once


@pytest.mark.parametrize(
    ("metric", "split"),
    [
        ("train_loss", "train"),
        ("val_loss", "validation"),
        ("test_top_5_accuracy", "test"),
        ("learning_rate", None),
        ("trainer", None),
    ],
)
def test_a_metric_s_name_says_of_which_split_it_is(metric: str, split: str | None) -> None:
    assert split_of(metric) == split
