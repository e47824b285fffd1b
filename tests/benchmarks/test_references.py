"""Optimizers, schedules, callbacks, losses and a training agree with the recorded numbers of Keras.

`keras_3_15_0.json` has the output of `benchmarks/references/keras_values.py`, thinned to about
twelve numbers for each behaviour. `make bench ONLY=references` compares all of them with Keras.
"""

import json
from pathlib import Path

import pytest

from benchmarks.references import our_values
from benchmarks.references.inputs import Values
from benchmarks.references.suite import TOLERANCES

KERAS: Values = json.loads((Path(__file__).parent / "keras_3_15_0.json").read_text())


@pytest.fixture(scope="module")
def ours() -> Values:
    return (
        our_values.optimizer_values()
        | our_values.schedule_values()
        | our_values.callback_values()
        | our_values.loss_values()
        | our_values.activation_values()
        | our_values.batch_norm_values()
        | our_values.training_values()
    )


@pytest.mark.parametrize("name", KERAS)
def test_numbers_are_those_of_keras(name: str, ours: Values) -> None:
    step = max(1, len(ours[name]) // 12)
    tolerance = TOLERANCES[name.partition(":")[0]]
    assert ours[name][step - 1 :: step] == pytest.approx(KERAS[name], rel=0, abs=tolerance)


def test_every_behaviour_is_recorded(ours: Values) -> None:
    assert ours.keys() == KERAS.keys()
