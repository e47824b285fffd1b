"""Rules on whether the network can be trained at all, and all of it."""

from typing import Annotated

from pydantic import Field

from worker.diagnostics.demos import mlp, on_digits
from worker.diagnostics.symptom import Symptom, number
from worker.diagnostics.view import View
from worker.registry import diagnostics

Share = Annotated[float, Field(ge=0, le=1)]


@diagnostics.register(
    source="Karpathy 2019, A recipe for training neural networks, «overfit one batch»",
    when=["start"],
    mode="full",
    reasons=[27],
    causes=[
        "symmetric_initialization",
        "poor_weight_initialization",
        "saturated_activation",
        "vanishing_gradient",
        "input_scale",
        "bottleneck",
        "learning_rate_too_low",
        "learning_rate_too_high",
        "initial_loss",
    ],
    tasks=["classification"],
    demo=on_digits(optimizer={"name": "sgd", "learning_rate": 1e-6}, training={"epochs": 2}),
    twin=on_digits(training={"epochs": 2}),
)
def cannot_overfit_batch(view: View, /, *, share: Share = 0.1) -> Symptom | None:
    """A single batch of 32 samples cannot be learned by heart.

    200 steps on the same samples, without augmentation, dropout and penalties, bring the loss of
    every network that can learn close to 0. Where they do not, the fault is in the network, its
    initial weights, its inputs or the optimizer, and more data or epochs cannot help.

    Args:
        view: the training.
        share: the loss at the end over the loss at chance, above which the batch is not learned.
    """
    curve = view.overfit_test()
    if not curve:
        return None
    step, loss = curve[-1]
    if loss <= share * view.equal_scores_loss:
        return None
    return Symptom(
        severity="error",
        sentence=f"after {step} steps on the same 32 samples their loss is {number(loss)}",
        statistic="overfit_loss",
        value=loss,
        threshold=share * view.equal_scores_loss,
        direction="above",
        samples=32,
        series=tuple(curve),
        patches=("learning_rate", "adam", "fitting_initializer"),
        is_certain=True,
    )


@diagnostics.register(
    source="Amazon SageMaker Debugger, rule UnchangedTensor",
    when=["start", "epoch"],
    reasons=[23],
    causes=[
        "symmetric_initialization",
        "poor_weight_initialization",
        "vanishing_gradient",
        "saturated_activation",
        "dead_relu",
        "learning_rate_too_low",
    ],
    demo=on_digits(architecture=mlp(2, 32), initializer="zeros", training={"epochs": 3}),
    twin=on_digits(architecture=mlp(2, 32), training={"epochs": 4}),
)
def frozen_or_unused(view: View, /) -> Symptom | None:
    """A weight matrix that should be trained does not change.

    Its gradient is 0 or missing: the layer is not part of the forward pass, or nothing behind it
    passes a gradient back. Layers that a stage freezes on purpose do not count.
    """
    reading = view.reading
    if reading is not None and reading.unused:
        return Symptom(
            severity="error",
            sentence=f"the loss does not depend on {reading.unused[0]}",
            statistic="unused_tensors",
            value=float(len(reading.unused)),
            threshold=0.0,
            direction="above",
            layers=tuple((name, 0.0) for name in reading.unused[:5]),
            next="The architecture has a layer that is not part of the forward pass; use another",
            is_certain=True,
        )
    updates = [update for update in view.updates if update.rate_fraction > 0]
    if len(updates) < 3 or view.moment != "epoch":
        return None
    unchanged = [
        name for name in updates[-1].ratios if all(u.ratios.get(name) == 0 for u in updates)
    ]
    if not unchanged or not view.loss_is_above(0.1):
        return None
    return Symptom(
        severity="error",
        sentence=f"{unchanged[0]} has not changed in any of the {len(updates)} steps that were "
        "measured",
        statistic="unchanged_tensors",
        value=float(len(unchanged)),
        threshold=0.0,
        direction="above",
        layers=tuple((name, 0.0) for name in unchanged[:5]),
        patches=("fitting_initializer", "batch_norm"),
    )
