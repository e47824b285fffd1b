"""`speed`, and predictions from it and from the work that `describe` counts."""

from typing import Any

import pytest

from api.jobs.estimates import GPU_SPEED, STEP_FACTOR
from tests.worker.experiments import data, ended_epochs, experiment
from tests.worker.filled import parameters
from worker.sidecar.operations import respond

OPTIMIZER = {"name": "sgd", **parameters("optimizers", "sgd")}


def _work(name: str, **fields: Any) -> dict[str, int]:
    request = {
        "operation": "describe",
        "architecture": {"name": name, **parameters("architectures", name)},
        "image": [3, 32, 32],
        "classes": 6,
        "batch_size": 32,
        "optimizers": [OPTIMIZER],
    }
    return respond({**request, **fields})["work"]


def test_it_is_measured_once() -> None:
    first = respond({"operation": "speed"})
    assert first.keys() == {"ok", *GPU_SPEED}
    assert all(0 < first[part] < 0.1 for part in GPU_SPEED)
    assert respond({"operation": "speed"}) == first


def test_work_grows_with_the_batch_and_the_network() -> None:
    small, large = _work("vgg_small"), _work("vgg_small", batch_size=64)
    assert large["operations"] == small["operations"]
    assert large["flops"] == 2 * small["flops"]
    assert (
        _work("vgg_small", regularizers={"vat": parameters("regularizers", "vat")})["flops"]
        > 1.5 * small["flops"]
    )
    assert _work("mlp")["flops"] < small["flops"]


@pytest.mark.parametrize("name", ["mlp", "vgg_small"])
def test_a_prediction_is_of_the_order_of_the_measured_duration(name: str) -> None:
    """A factor of 2 alone; other processes on the cores of this machine add to it."""
    speed = respond({"operation": "speed"})
    step = STEP_FACTOR * sum(_work(name)[part] * speed[part] for part in GPU_SPEED)
    training = {"epochs": 3, "batch_size": 32}
    bundle = data(train=256, validation=1, size=32)
    epochs = ended_epochs(experiment(architecture=name, bundle=bundle, training=training))
    measured = min(epoch.metrics["seconds"] for epoch in epochs) / 8
    assert 0.1 < step / measured < 10
