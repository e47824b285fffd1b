"""Rules on regularization and augmentation."""

from typing import Annotated

from pydantic import Field

from worker.diagnostics.demos import mlp, on_digits
from worker.diagnostics.symptom import Symptom, number
from worker.diagnostics.view import View
from worker.registry import diagnostics

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


def _accuracy(view: View) -> float:
    """Return the accuracy on the training sample in evaluation mode; 0 where it is not known."""
    reading = view.reading
    return reading.accuracy or 0.0 if reading is not None else 0.0


@diagnostics.register(
    source="TheDeepChecker (Ben Braiek & Khomh 2022), regularization against the data loss",
    when=["epoch"],
    reasons=[20, 30],
    causes=[],
    holds_from_start=True,
    demo=on_digits(regularizers={"l2": 1.0}),
    twin=on_digits(regularizers={"l2": 0.0001}),
)
def regularization_overwhelms(
    view: View, /, *, ratio: Positive = 1.0, accuracy: Share = 0.9, decay: Share = 0.5
) -> Symptom | None:
    """The penalty on the weights dominates the loss of the data.

    The optimizer lowers the sum of both. A large λ makes it cheapest to shrink all weights towards
    0, and the network forgets what it has learned. The penalty should be a small part of the loss.

    Args:
        view: the training.
        ratio: the penalty over the data loss, as means of an epoch, above which it dominates.
        accuracy: the training accuracy from which on it does no harm.
        decay: the rule also applies where the penalty falls below this fraction of its first value
            while the loss stays at chance: the weights are shrunk away.
    """
    if not view.epochs or view.epochs[0].penalty <= 0:
        return None
    first, last = view.epochs[0], view.epochs[-1]
    value = max(
        first.penalty / max(first.loss_mean, 1e-12), last.penalty / max(last.loss_mean, 1e-12)
    )
    if value <= ratio:
        return None
    loss = view.metric("train_eval_loss")
    is_shrinking = last.penalty < decay * first.penalty or first.penalty > 10 * first.loss_mean
    is_harmful = loss is not None and not loss <= 0.5 * view.chance
    if _accuracy(view) >= accuracy or not (is_harmful or is_shrinking):
        return None
    return Symptom(
        severity="error",
        sentence=f"the penalty on the weights is {number(value)} times the loss of the data",
        statistic="penalty_ratio",
        value=value,
        threshold=ratio,
        direction="above",
        series=tuple((e.step, e.penalty / max(e.loss_mean, 1e-12)) for e in view.epochs),
        patches=("weaker_penalty",),
        is_certain=is_harmful,
    )


def _excess(view: View) -> float | None:
    """Return how much higher the loss is in training mode than on clean samples, without floors."""
    trained, clean = view.metric("train_data_loss"), view.metric("train_eval_loss")
    if trained is None or clean is None:
        return None
    return trained - view.target_floor - clean


def _is_overdone(view: View, share: float, accuracy: float) -> float | None:
    """Return the excess of the training loss where it is high and the network has not learned."""
    excess = _excess(view)
    if not view.is_warmed_up or excess is None or not view.is_classification:
        return None
    losses = view.series("train_eval_loss")
    # A loss that still falls fast is also higher during an epoch than after it.
    if len(losses) >= 2 and losses[-1] < 0.8 * losses[-2]:
        return None
    return excess if excess > share * view.chance and _accuracy(view) < accuracy else None


@diagnostics.register(
    source="Srivastava et al. 2014, JMLR 15, section 7.3 (the effect of the rate)",
    when=["epoch"],
    reasons=[13, 30],
    causes=["bottleneck"],
    holds_from_start=True,
    tasks=["classification"],
    demo=on_digits(architecture=mlp(dropout=0.95)),
    twin=on_digits(architecture=mlp(dropout=0.5)),
)
def too_much_regularization(
    view: View, /, *, share: Share = 0.2, accuracy: Share = 0.9
) -> Symptom | None:
    """Dropout or mixing makes the task so hard that little is learned.

    In training the network has to answer with most of its features missing. If its loss there is
    much higher than on the same kind of samples without dropout, and the clean accuracy is low too,
    the noise costs more than it protects from overfitting.

    Args:
        view: the training.
        share: the excess of the loss in training mode, as a fraction of the loss at chance.
        accuracy: the training accuracy from which on it does no harm.
    """
    if view.spec["augmentation"] and not _drops(view):
        return None
    excess = _is_overdone(view, share, accuracy)
    if excess is None or not _drops(view):
        return None
    return Symptom(
        severity="warning",
        sentence=f"the loss in training is {number(excess)} higher than on clean samples, of which "
        f"only {number(100 * _accuracy(view))} % are classified correctly",
        statistic="training_loss_excess",
        value=excess,
        threshold=share * view.chance,
        direction="above",
        series=tuple((e.step, e.metrics["train_data_loss"]) for e in view.epochs),
        patches=("less_dropout", "more_epochs"),
    )


def _drops(view: View) -> bool:
    """Return whether anything but augmentation makes training samples harder."""
    architecture = view.spec["architecture"]
    rates = [architecture.get(name) or 0 for name in ("dropout", "head_dropout")]
    return any(rate > 0 for rate in rates) or bool(view.spec["regularizers"])


@diagnostics.register(
    source="Shorten & Khoshgoftaar 2019, Journal of Big Data 6:60 (the safety of augmentations)",
    when=["epoch"],
    reasons=[13, 30],
    causes=["too_much_regularization"],
    holds_from_start=True,
    tasks=["classification"],
    demo=on_digits(
        augmentation={"rotation": 180, "shear": 60, "zoom": 0.9, "channel_shift": 200},
    ),
    twin=on_digits(augmentation={"rotation": 5, "width_shift": 0.05}),
)
def too_much_augmentation(
    view: View, /, *, share: Share = 0.2, accuracy: Share = 0.9
) -> Symptom | None:
    """The augmented images are so unlike the originals that little is learned.

    Augmentation should only change what does not matter for the class. A six that is turned upside
    down is a nine, and a shirt that is sheared by 60° is no shirt any more. If the loss on
    augmented images is much higher than on the originals, and these are not learned either, the
    changes are too strong.

    Args:
        view: the training.
        share: the excess of the loss on augmented images, as a fraction of the loss at chance.
        accuracy: the training accuracy from which on it does no harm.
    """
    if not view.spec["augmentation"]:
        return None
    excess = _is_overdone(view, share, accuracy)
    if excess is None:
        return None
    return Symptom(
        severity="warning",
        sentence=f"the loss on augmented images is {number(excess)} higher than on the originals, "
        f"of which only {number(100 * _accuracy(view))} % are right",
        statistic="training_loss_excess",
        value=excess,
        threshold=share * view.chance,
        direction="above",
        series=tuple((e.step, e.metrics["train_data_loss"]) for e in view.epochs),
        patches=("no_augmentation", "more_epochs"),
        next="`trainshed preview` shows the augmented images",
    )
