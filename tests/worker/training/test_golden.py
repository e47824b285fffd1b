"""The losses of the first twenty steps, recorded when the mathematics last changed on purpose.

Unchanged mathematics keeps them. An intended change records them again and is noted in CHANGELOG.
There is no dropout, since its masks differ between builds of torch.
"""

import pytest

from tests.worker.experiments import data, experiment, vgg
from worker.training.fit import fit
from worker.training.reports import Stepped

STEPS = 20
GOLDEN = {
    "linear": [
        2.084548,
        0.955880,
        1.718797,
        1.451775,
        1.032215,
        0.415761,
        0.252695,
        0.104166,
        0.051818,
        0.038826,
        0.019970,
        0.011073,
        0.007407,
        0.002870,
        0.005810,
        0.002501,
        0.003364,
        0.001674,
        0.001393,
        0.000825,
    ],
    "mlp": [
        2.519600,
        2.097128,
        2.820557,
        1.586440,
        1.470654,
        0.266846,
        0.345254,
        0.189927,
        0.111247,
        0.020934,
        0.008302,
        0.015428,
        0.004931,
        0.005091,
        0.003605,
        0.002467,
        0.002650,
        0.001956,
        0.000596,
        0.000629,
    ],
    "vgg_small": [
        1.947176,
        1.787188,
        1.462877,
        2.213365,
        1.632539,
        1.475773,
        1.182112,
        0.875749,
        0.944145,
        1.836486,
        1.032336,
        0.964414,
        0.797103,
        1.054229,
        1.102799,
        0.818647,
        1.392985,
        0.625584,
        0.826322,
        0.580562,
    ],
}


def _losses(name: str) -> list[float]:
    training = experiment(
        architecture=vgg(dropout=0.0, head_dropout=0.0) if name == "vgg_small" else name,
        bundle=data(train=40),
        training={"epochs": 4},
        regularizers={"l2": {"weight": 0.001}},
    )
    losses: list[float] = []
    before = 0.0
    for report in fit(training):
        if not isinstance(report, Stepped):
            continue
        total = report.snapshot().sums["data_loss"]
        losses.append((total - before) / report.images)
        before = 0.0 if report.ends_epoch else total
    return losses


@pytest.mark.parametrize("name", list(GOLDEN))
def test_losses_equal_the_recorded_losses(name: str) -> None:
    losses = _losses(name)
    assert len(losses) == STEPS
    assert losses == pytest.approx(GOLDEN[name], abs=1e-4)
