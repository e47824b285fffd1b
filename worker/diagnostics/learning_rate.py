"""Rules on the learning rate: how much each step changes the weights, and the range test."""

import math
from typing import Annotated

from pydantic import Field

from worker.diagnostics.demos import mlp, on_digits
from worker.diagnostics.readings import Update
from worker.diagnostics.symptom import Symptom, number
from worker.diagnostics.view import View, median
from worker.registry import diagnostics

Positive = Annotated[float, Field(gt=0)]
Logarithm = Annotated[float, Field(ge=-20, le=20)]
#: The steps of a stage of which the change of the weights is measured, besides each epoch's last.
FIRST_STEPS = (1, 2, 3, 5, 10, 20)
#: The last steps whose mean loss is compared with that of the first step.
RECENT = 5


def log_ratio(update: Update) -> float:
    """Return log10 of the median over the weight matrices of ‖Δw‖/‖w‖."""
    ratio = median([*update.ratios.values()])
    if math.isnan(ratio):
        return math.inf
    return math.log10(max(ratio, 1e-12))


def _largest_ratios(view: View, limit: float) -> list[tuple[int, float]]:
    """Return the steps of the first epoch that changed the weights by more than a limit."""
    ratios = [(update.step, log_ratio(update)) for update in view.updates[: len(FIRST_STEPS)]]
    return [(step, value) for step, value in ratios if value > limit]


def _is_learning(view: View) -> bool:
    """Return whether the loss falls although the first steps were large: they then do no harm.

    A loss with another scale than the cross-entropy, or an optimizer that starts with large steps,
    shows this. If a layer has died, a loss that falls from a large initial loss to that of a
    constant answer does not count: it must be far below that.
    """
    if view.divergence is not None:
        return False
    if view.epochs:
        return not view.loss_is_above(0.5)
    if _has_died(view) and view.loss_is_above(0.5):
        return False
    losses = [step.data_loss for step in view.steps]
    recent = losses[1:][-RECENT:]
    return bool(recent) and sum(recent) / len(recent) < 0.9 * losses[0]


def _has_died(view: View) -> bool:
    """Return whether all units of a layer are dead that were not before the first step."""
    if view.first_reading is None or view.reading is None:
        return False
    first = {layer.name: layer.dead_share for layer in view.first_reading.layers}
    return any(
        layer.dead_share == 1.0 and first.get(layer.name) != 1.0 for layer in view.reading.layers
    )


def _is_tiny(view: View, limit: float) -> bool:
    """Return whether no measured step after the warm-up changes the weights by more."""
    updates = [update for update in view.updates if update.rate_fraction >= 0.5]
    return len(updates) >= 3 and all(log_ratio(update) < limit for update in updates)


CAUSES = [
    "input_scale",
    "symmetric_initialization",
    "poor_weight_initialization",
    "regularization_overwhelms",
    "saturated_activation",
    "vanishing_gradient",
]


@diagnostics.register(
    source="Smith 2017, arXiv:1506.01186, section 3.3 (range test)",
    when=["update", "step", "epoch", "failure"],
    reasons=[36, 29],
    causes=["input_scale", "poor_weight_initialization", "regularization_overwhelms"],
    holds_from_start=True,
    demo=on_digits(optimizer={"name": "sgd", "learning_rate": 10.0, "momentum": 0.9}),
    twin=on_digits(),
)
def learning_rate_too_high(
    view: View,
    /,
    *,
    fraction: Positive = 0.5,
    log_update: Logarithm = -1.0,
    steps: Annotated[int, Field(ge=1, le=6)] = 2,
    times: Annotated[float, Field(ge=1)] = 3.0,
) -> Symptom | None:
    """The learning rate is near or above the rate at which the loss diverges.

    Each step should change a weight by about a thousandth of its size. Steps that replace a large
    part of the weights jump over the minimum. Where the first steps do that, a range test raises
    the rate from 1e-6 to 10 on a copy of the initial network and finds where its loss turns.

    Args:
        view: the training.
        fraction: the rate over the rate at which the range test's loss rises.
        log_update: log10 of the median of ‖Δw‖/‖w‖ above which a step is too large.
        steps: how many of the first measured steps are too large.
        times: the rate over the rate that the range test suggests, where the training diverged or a
            whole layer died: in the test, too, a network may die instead of diverging.
    """
    too_large = _largest_ratios(view, log_update)
    is_collapsed = _has_died(view)
    if len(too_large) < steps and view.divergence is None and not is_collapsed:
        return None
    if _is_learning(view):
        return None
    test, rate = view.range_test(), view.stage.learning_rate
    if test is None:
        return None
    sentence = f"learning_rate {rate:g} is too high: "
    is_lost = is_collapsed or view.divergence is not None
    if test.diverging is not None and rate > fraction * test.diverging:
        threshold = fraction * test.diverging
        sentence += f"in a range test the loss rises from {number(test.diverging)} on"
    elif test.suggested is not None and is_lost and rate > times * test.suggested:
        threshold = times * test.suggested
        sentence += "a whole layer has died" if is_collapsed else "the training diverged"
        sentence += f", and a range test suggests {number(test.suggested)}"
    else:
        return None
    return Symptom(
        severity="error",
        sentence=sentence,
        statistic="learning_rate",
        value=rate,
        threshold=threshold,
        direction="above",
        series=tuple((u.step, log_ratio(u)) for u in view.updates),
        details={"diverging": test.diverging, "suggested": test.suggested, "curve": test.curve},
        patches=("learning_rate", "warm_up"),
        is_certain=True,
    )


@diagnostics.register(
    source="Smith 2017, arXiv:1506.01186, section 3.3 (range test)",
    when=["update", "step", "epoch"],
    reasons=[29, 36],
    causes=CAUSES,
    holds_from_start=True,
    demo=on_digits(optimizer={"name": "sgd", "learning_rate": 1e-6, "momentum": 0.9}),
    twin=on_digits(),
)
def learning_rate_too_low(
    view: View, /, *, fraction: Positive = 1e-2, log_update: Logarithm = -4.0
) -> Symptom | None:
    """The learning rate is so low that the weights hardly change.

    The gradient is fine and the network could learn, but at this rate it would take thousands of
    epochs. A range test on a copy of the initial network shows which rates lower the loss.

    Args:
        view: the training.
        fraction: the rate over the rate that the range test suggests.
        log_update: log10 of the median of ‖Δw‖/‖w‖ below which steps are too small.
    """
    if not view.loss_is_above(0.5) or not _is_tiny(view, log_update):
        return None
    test = view.range_test()
    if test is None or test.suggested is None:
        return None
    rate = view.stage.learning_rate
    if rate >= fraction * test.suggested:
        return None
    sentence = f"learning_rate {rate:g} is too low: a range test suggests {number(test.suggested)}"
    return Symptom(
        severity="error",
        sentence=sentence,
        statistic="learning_rate",
        value=rate,
        threshold=fraction * test.suggested,
        direction="below",
        series=tuple((u.step, log_ratio(u)) for u in view.updates),
        details={"diverging": test.diverging, "suggested": test.suggested, "curve": test.curve},
        patches=("learning_rate",),
        is_certain=True,
    )


@diagnostics.register(
    source="Karpathy, CS231n notes, «Ratio of weights:updates» (about 1e-3)",
    when=["update", "step", "epoch"],
    reasons=[33, 34, 36],
    causes=["learning_rate_too_high", "learning_rate_too_low", *CAUSES, "dead_relu"],
    demo=on_digits(architecture=mlp(3, 128), optimizer={"name": "adam", "learning_rate": 0.1}),
    twin=on_digits(architecture=mlp(3, 128), optimizer={"name": "adam", "learning_rate": 0.001}),
)
def weight_update_ratio(
    view: View,
    /,
    *,
    highest: Logarithm = -1.0,
    lowest: Logarithm = -4.0,
    steps: Annotated[int, Field(ge=1, le=6)] = 3,
) -> Symptom | None:
    """The steps change the weights by far more or far less than a thousandth of their size.

    ‖Δw‖/‖w‖ is measured for each weight matrix after some of the first steps and after the last
    step of each epoch; the median over matrices counts. It is independent of the scale of the loss
    and of the optimizer.

    Args:
        view: the training.
        highest: log10 of the ratio above which a step is too large.
        lowest: log10 of the ratio below which steps are too small.
        steps: how many of the first measured steps are too large.
    """
    too_large = _largest_ratios(view, highest)
    series = tuple((u.step, log_ratio(u)) for u in view.updates)
    if len(too_large) >= steps and not _is_learning(view):
        value = max(value for _, value in too_large)
        return Symptom(
            severity="warning",
            sentence=f"the first steps change the weights by up to {number(10**value)} of their "
            "size; about 0.001 is usual",
            statistic="log10_update_ratio",
            value=value,
            threshold=highest,
            direction="above",
            series=series,
            patches=("lower_learning_rate", "warm_up"),
            is_certain=True,
        )
    if view.moment != "epoch" or not view.loss_is_above(0.5) or not _is_tiny(view, lowest):
        return None
    value = max(log_ratio(u) for u in view.updates if u.rate_fraction >= 0.5)
    return Symptom(
        severity="warning",
        sentence=f"the steps change the weights by at most {number(10**value)} of their size; "
        "about 0.001 is usual",
        statistic="log10_update_ratio",
        value=value,
        threshold=lowest,
        direction="below",
        series=series,
        patches=("learning_rate", "adam"),
        is_certain=True,
    )
