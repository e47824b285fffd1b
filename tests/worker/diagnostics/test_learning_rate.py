"""When a rate counts as too high although the loss falls, on made readings."""

from dataclasses import replace

import pytest

from benchmarks.diagnostics.runs import filled
from tests.worker.diagnostics.test_patches import view_of
from worker.diagnostics.demos import on_digits
from worker.diagnostics.learning_rate import learning_rate_too_high
from worker.diagnostics.readings import LayerReading, RangeTest, Step, Update
from worker.diagnostics.view import View

#: In the range test the network dies instead of diverging, as the training does.
DYING = RangeTest(suggested=0.016, diverging=None, curve=())


def dying(*, dead_share: float, loss: float = 2.3) -> View:
    """Return a training whose loss falls from 8 to that of a constant answer, after 20 steps.

    Args:
        dead_share: of the units of its layer.
        loss: of the sample, at the end.
    """
    view = view_of(filled(on_digits(optimizer={"name": "sgd", "learning_rate": 0.1})))
    alive = view.readings[0]
    layers = (LayerReading(name="a", function="relu", dead_share=dead_share),)
    losses = (8.0, 60.0, 7.0, *[2.3] * 17)
    return replace(
        view,
        moment="step",
        step=20,
        readings=(alive, replace(alive, step=20, layers=layers, loss=loss)),
        updates=tuple(
            Update(step=n, epoch=1, rate_fraction=1.0, ratios={"a": 0.5}) for n in (1, 2, 3)
        ),
        steps=tuple(
            Step(step=n + 1, data_loss=value, penalty=0.0, gradient_norm=1.0, learning_rate=0.1)
            for n, value in enumerate(losses)
        ),
        range_test=lambda: DYING,
    )


def test_a_layer_that_died_is_named_before_the_first_epoch_ends() -> None:
    found = learning_rate_too_high(dying(dead_share=1.0))
    assert found is not None
    assert "a whole layer has died" in found.sentence


@pytest.mark.parametrize("dead_share", [0.0, 0.9])
def test_a_loss_that_falls_while_units_are_active_is_no_fault(dead_share: float) -> None:
    assert learning_rate_too_high(dying(dead_share=dead_share)) is None


def test_a_dead_layer_of_a_network_that_has_learned_is_no_fault() -> None:
    assert learning_rate_too_high(dying(dead_share=1.0, loss=0.5)) is None
