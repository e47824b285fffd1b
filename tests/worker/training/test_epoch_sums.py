"""Step results that are read late give the same bits as results that are read at once."""

import pytest

from tests.worker.experiments import experiment, vgg
from worker.training import trainer
from worker.training.fit import fit
from worker.training.reports import EpochEnded, Stepped

CLOCKS = {"seconds", "images_per_second"}


def _metrics(*, takes_snapshots: bool = False) -> list[dict[str, float]]:
    epochs = []
    for report in fit(experiment(architecture=vgg(), regularizers={"l1": {"weight": 0.001}})):
        if takes_snapshots and isinstance(report, Stepped) and report.step % 3 == 0:
            report.snapshot()
        if isinstance(report, EpochEnded):
            epochs.append({n: v for n, v in report.metrics.items() if n not in CLOCKS})
    return epochs


@pytest.mark.parametrize("capacity", [3, 50])
def test_when_results_are_read_changes_no_metric(
    monkeypatch: pytest.MonkeyPatch, capacity: int
) -> None:
    read_at_once = _metrics()
    monkeypatch.setitem(trainer.STEPS_BETWEEN_READINGS, "cpu", capacity)
    assert _metrics() == read_at_once
    assert _metrics(takes_snapshots=True) == read_at_once
