"""Rules on what a network answers, and on differences between training and evaluation."""

from itertools import pairwise
from typing import Annotated

from pydantic import Field

from worker.diagnostics.demos import mlp, on_digits
from worker.diagnostics.symptom import Symptom, number, percent
from worker.diagnostics.view import View
from worker.registry import diagnostics

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
#: What makes every answer the same.
CAUSES = [
    "symmetric_initialization",
    "input_scale",
    "poor_weight_initialization",
    "learning_rate_too_high",
    "regularization_overwhelms",
    "saturated_activation",
    "vanishing_gradient",
    "dead_relu",
    "input_not_connected",
    "class_imbalance",
    "bottleneck",
    "exploding_gradient",
]


@diagnostics.register(
    source="Recht et al. 2019; Buda, Maki & Mazurowski 2018, arXiv:1710.05381 (majority class)",
    when=["epoch"],
    reasons=[21],
    causes=CAUSES,
    tasks=["classification"],
    demo=on_digits(architecture=mlp(10, 64), initializer={"name": "normal", "scale": 0.05}),
    twin=on_digits(architecture=mlp(10, 64)),
)
def prediction_collapse(view: View, /, *, share: Share = 0.9, true: Share = 0.5) -> Symptom | None:
    """The network answers with the same class for almost every sample.

    It has only learned which class is the most frequent, or its outputs do not depend on the input.
    The accuracy is then the share of that class, however low the loss looks.

    Args:
        view: the training.
        share: the share of the class that is predicted most often, above which answers collapse.
        true: the true share of this class from which on the answer is no fault.
    """
    reading = view.fresh_reading
    if reading.predicted_share is None or reading.true_share is None:
        return None
    if reading.predicted_share <= share or reading.true_share >= true:
        return None
    return Symptom(
        severity="error",
        sentence=f"the network answers {reading.predicted_class} for "
        f"{percent(reading.predicted_share)} of the samples, and only "
        f"{percent(reading.true_share)} of them have this label",
        statistic="predicted_share",
        value=reading.predicted_share,
        threshold=share,
        direction="above",
        samples=reading.samples,
        series=tuple((r.step, r.predicted_share or 0.0) for r in view.readings),
        patches=("learning_rate", "fitting_initializer", "balanced"),
    )


@diagnostics.register(
    source="Ioffe 2017, arXiv:1702.03275, section 3 (batch statistics against running statistics)",
    when=["epoch"],
    reasons=[32],
    causes=["learning_rate_too_high"],
    demo=on_digits(
        architecture=mlp(2, 64, batch_norm=True, batch_norm_momentum=0.999),
        training={"epochs": 3},
    ),
    twin=on_digits(architecture=mlp(2, 64, batch_norm=True)),
)
def train_eval_mismatch(
    view: View, /, *, relative: Positive = 0.5, absolute: Share = 0.1
) -> Symptom | None:
    """The network is much worse with running statistics than with the statistics of a batch.

    In training, batch norm uses the mean and variance of the batch; in evaluation, running
    averages. If these have not followed the weights, or batches are too small, the same samples get
    another answer in evaluation.

    Args:
        view: the training.
        relative: the difference of the losses over the loss with the statistics of the batch.
        absolute: the difference as a fraction of the loss at chance.
    """
    reading = view.fresh_reading
    if reading.running_loss is None or view.stage.is_partial:
        return None
    difference = reading.running_loss - reading.loss
    limit = max(relative * reading.loss, absolute * view.chance)
    if difference <= limit:
        return None
    return Symptom(
        severity="warning",
        sentence=f"the loss of the same samples is {number(reading.running_loss)} with running "
        f"statistics and {number(reading.loss)} with the statistics of the batch",
        statistic="loss_difference",
        value=difference,
        threshold=limit,
        direction="above",
        samples=reading.samples,
        series=tuple(
            (r.step, r.running_loss - r.loss) for r in view.readings if r.running_loss is not None
        ),
        patches=("momentum_of_statistics", "double_batch"),
    )


@diagnostics.register(
    source="Pascanu, Mikolov & Bengio 2012, arXiv:1211.5063, section 3.2",
    when=["epoch"],
    reasons=[35],
    causes=[],
    demo=on_digits(
        optimizer={"name": "sgd", "learning_rate": 0.05, "gradient_clipping": {"global_norm": 0.01}}
    ),
    twin=on_digits(
        optimizer={"name": "sgd", "learning_rate": 0.01, "gradient_clipping": {"global_norm": 5.0}}
    ),
)
def clipping_saturated(view: View, /, *, share: Share = 0.9) -> Symptom | None:
    """Almost every step is clipped, so that the bound decides the size of the steps.

    Clipping is meant for rare, very large gradients. If it acts at each step, all steps have the
    same length: the learning rate times the bound.

    Args:
        view: the training.
        share: the share of clipped steps in an epoch.
    """
    fraction = view.metric("clipped_fraction")
    if fraction is None or fraction <= share:
        return None
    return Symptom(
        severity="info",
        sentence=f"{percent(fraction)} of the steps are clipped",
        statistic="clipped_fraction",
        value=fraction,
        threshold=share,
        direction="above",
        series=tuple((e.step, e.metrics.get("clipped_fraction", 0.0)) for e in view.epochs),
        next="Use a larger bound, at the usual norm of the gradient, or none",
    )


def oscillation(view: View, *, turns: int = 5, amplitude: float = 0.2) -> tuple[int, float] | None:
    """Return how often the training loss turns in six epochs, and by how much it changes.

    None where it turns less often than `turns`, or changes by less than `amplitude` of its mean.
    """
    losses = view.series("train_eval_loss")[-8:]
    if len(losses) < 8 or not view.is_warmed_up:
        return None
    changes = [b - a for a, b in pairwise(losses)]
    turned = sum(a * b < 0 for a, b in pairwise(changes))
    mean = sum(losses) / len(losses)
    size = sum(map(abs, changes)) / len(changes) / max(mean, 1e-12)
    if turned < turns or size <= amplitude or mean <= 0.1 * view.chance:
        return None
    return turned, size


@diagnostics.register(
    source="AutoTrainer (Zhang et al. 2021), oscillating loss, on the loss instead of the accuracy",
    when=["epoch"],
    reasons=[11, 36],
    causes=["input_scale", "learning_rate_too_high", "poor_weight_initialization"],
    demo=on_digits(architecture=mlp(3, 8), training={"epochs": 20}),
    twin=on_digits(architecture=mlp(3, 64)),
)
def oscillating_loss(
    view: View, /, *, turns: Annotated[int, Field(ge=2, le=6)] = 5, amplitude: Positive = 0.2
) -> Symptom | None:
    """The loss on the training samples goes up and down from epoch to epoch.

    The steps jump across the valley instead of descending into it. A smaller learning rate, a
    schedule that lowers it, or larger batches make it steadier.

    Args:
        view: the training.
        turns: how many of the last six changes have another sign than the change before.
        amplitude: the mean magnitude of these changes over the loss.
    """
    found = oscillation(view, turns=turns, amplitude=amplitude)
    if found is None:
        return None
    turned, size = found
    return Symptom(
        severity="warning",
        sentence=f"the training loss changes its direction in {turned} of 6 epochs, by "
        f"{percent(size)} on average",
        statistic="relative_change",
        value=size,
        threshold=amplitude,
        direction="above",
        series=tuple((e.step, e.metrics["train_eval_loss"]) for e in view.epochs[-8:]),
        patches=("lower_learning_rate", "double_batch"),
    )
