"""Rules on the course of the loss."""

from typing import Annotated

from pydantic import Field

from worker.diagnostics.demos import mlp, on_digits
from worker.diagnostics.symptom import Symptom, number
from worker.diagnostics.view import View
from worker.registry import diagnostics

Fraction = Annotated[float, Field(ge=0, le=1)]
#: What can keep a loss from falling.
CAUSES = [
    "input_scale",
    "symmetric_initialization",
    "poor_weight_initialization",
    "saturated_activation",
    "vanishing_gradient",
    "learning_rate_too_high",
    "learning_rate_too_low",
    "regularization_overwhelms",
    "dead_relu",
    "input_not_connected",
    "bottleneck",
    "exploding_gradient",
    "weight_update_ratio",
]


@diagnostics.register(
    source="Amazon SageMaker Debugger, rule LossNotDecreasing, by epochs instead of steps",
    when=["epoch"],
    reasons=[31, 34, 36],
    causes=CAUSES,
    reports_outcome=True,
    demo=on_digits(
        architecture=mlp(10, 64, activation="sigmoid"),
        initializer={"name": "normal", "scale": 0.05},
    ),
    twin=on_digits(architecture=mlp(10, 64)),
)
def loss_not_decreasing(
    view: View,
    /,
    *,
    chance: Fraction = 0.9,
    gain: Fraction = 0.01,
    plateau_gain: Fraction = 0.005,
    plateau_epochs: Annotated[int, Field(ge=2, le=1000)] = 5,
    accuracy: Fraction = 0.9,
) -> Symptom | None:
    """The loss on the training samples does not fall.

    It stays where guessing is, or it has reached a plateau although many training samples are still
    wrong. The loss is measured on the same clean samples in each epoch, so that dropout,
    augmentation and smoothed targets do not count.

    Args:
        view: the training.
        chance: the fraction of the loss at chance above which nothing is learned.
        gain: by how much the last epoch is below the best of the first two epochs, at least.
        plateau_gain: the gain over `plateau_epochs` below which the loss is at a plateau.
        plateau_epochs: the length of a plateau.
        accuracy: the training accuracy from which on a plateau is no fault.
    """
    losses = view.series("train_eval_loss")
    if len(losses) < 2 or not view.is_warmed_up:
        return None
    last, series = losses[-1], tuple((e.step, e.metrics["train_eval_loss"]) for e in view.epochs)
    start = min(losses[: min(2, len(losses) - 1)])
    reading = view.first_reading
    if reading is not None and len(losses) == 2:
        start = min(start, reading.loss)
    reading = view.reading
    if reading is not None and reading.running_loss is not None:
        # Running statistics that lag behind are another fault, or settle by themselves.
        last = min(last, reading.loss)
    if not last <= chance * view.chance and not last <= (1 - gain) * start:
        sentence = f"the training loss stays near {number(last)} ({view.guessing})"
        if not last <= 1.5 * view.chance:
            sentence = f"the training loss is {number(last)}, above {number(view.chance)} "
            sentence += f"({view.guessing})"
        return Symptom(
            severity="error",
            sentence=sentence,
            statistic="train_eval_loss",
            value=last,
            threshold=chance * view.chance,
            direction="above",
            series=series,
            patches=("learning_rate", "adam", "fitting_initializer"),
        )
    if len(losses) <= plateau_epochs or not view.is_classification:
        return None
    before = min(losses[:-plateau_epochs])
    reached = view.reading.accuracy if view.reading is not None else None
    if (
        reached is None
        or reached >= accuracy
        or min(losses[-plateau_epochs:]) < before * (1 - plateau_gain)
    ):
        return None
    return Symptom(
        severity="warning",
        sentence=f"the training loss has not fallen below {number(before)} in the last "
        f"{plateau_epochs} epochs, with a training accuracy of {number(reached)}",
        statistic="train_eval_loss",
        value=min(losses[-plateau_epochs:]),
        threshold=before * (1 - plateau_gain),
        direction="above",
        series=series,
        patches=("learning_rate", "adam"),
    )
