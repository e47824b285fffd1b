"""Rules on how well a network does on data that it has not seen, and on when to stop."""

from itertools import pairwise
from typing import Annotated, Any

from pydantic import Field

from worker.diagnostics.demos import FEW, mlp, on_digits
from worker.diagnostics.labels import CANNOT_LEARN
from worker.diagnostics.symptom import Symptom, number
from worker.diagnostics.view import View
from worker.registry import diagnostics

Share = Annotated[float, Field(ge=0, le=1)]
AtLeast1 = Annotated[float, Field(ge=1)]
#: The loss over the loss at chance below which one or two epochs were enough.
LEARNED = 0.3
Epochs = Annotated[int, Field(ge=1, le=1000)]


def _by_heart(**parts: Any) -> dict[str, Any]:
    """Return a network that learns a few samples by heart."""
    adam = {"name": "adam", "learning_rate": 0.003}
    training = {"epochs": 12, "batch_size": 16, **parts.pop("training", {})}
    return on_digits(architecture=mlp(3), optimizer=adam, training=training, **parts)


def _overfits(view: View, gap: float, worse: float, epochs: int) -> bool:
    """Return whether the gap has grown for some epochs and the validation loss with it."""
    gaps, losses = view.series("generalization_gap"), view.series("val_data_loss")
    if len(gaps) <= epochs or not view.is_warmed_up:
        return False
    recent = gaps[-epochs - 1 :]
    is_growing = all(later > earlier for earlier, later in pairwise(recent))
    return is_growing and gaps[-1] > gap * view.chance and losses[-1] > worse * min(losses)


def _loses_accuracy(view: View) -> bool:
    accuracies = view.series("val_accuracy")
    return not accuracies or accuracies[-1] < max(accuracies) - 0.005


@diagnostics.register(
    source="Goodfellow, Bengio & Courville 2016, section 5.2",
    when=["epoch"],
    reasons=[9, 13, 30],
    causes=["too_few_examples", "duplicate_across_splits"],
    demo=_by_heart(dataset=FEW),
    twin=_by_heart(training={"epochs": 4}),
)
def overfit(
    view: View, /, *, gap: Share = 0.15, worse: AtLeast1 = 1.05, epochs: Epochs = 3
) -> Symptom | None:
    """The network learns the training samples by heart, and gets worse on others.

    The gap between the loss on clean training samples and the validation loss grows, and the
    validation loss has passed its minimum. More data, augmentation, a penalty or dropout narrow the
    gap; early stopping keeps the weights of the minimum.

    Args:
        view: the training.
        gap: the gap, as a fraction of the loss at chance, above which it counts.
        worse: the validation loss over its best value.
        epochs: for how many epochs in a row the gap has grown.
    """
    if not _overfits(view, gap, worse, epochs) or not _loses_accuracy(view):
        return None
    losses = view.series("val_data_loss")
    best = losses.index(min(losses))
    return Symptom(
        severity="warning",
        sentence=f"the validation loss has risen from {number(losses[best])} in epoch "
        f"{view.epochs[best].epoch} to {number(losses[-1])}, while the training loss falls",
        statistic="generalization_gap",
        value=view.series("generalization_gap")[-1],
        threshold=gap * view.chance,
        direction="above",
        series=tuple((e.step, e.metrics["generalization_gap"]) for e in view.epochs),
        patches=("more_data", "early_stopping", "l2", "more_dropout"),
    )


@diagnostics.register(
    source="Guo et al. 2017, arXiv:1706.04599, section 3",
    when=["epoch"],
    reasons=[30],
    causes=["overfit"],
    covered_by=CANNOT_LEARN,
    tasks=["classification"],
    demo=None,
    twin=None,
)
def overconfident(
    view: View, /, *, gap: Share = 0.15, worse: AtLeast1 = 1.05, epochs: Epochs = 3
) -> Symptom | None:
    """The validation loss rises while the accuracy does not fall.

    The network becomes ever surer of its answers, also where they are wrong and cost more and more.
    The classes that it names stay as good; its probabilities are not to be trusted. Label smoothing
    or early stopping by the loss help.

    Args:
        view: the training.
        gap: the gap to the clean training loss, as a fraction of the loss at chance.
        worse: the validation loss over its best value.
        epochs: for how many epochs in a row the gap has grown.
    """
    if not _overfits(view, gap, worse, epochs) or _loses_accuracy(view):
        return None
    losses = view.series("val_data_loss")
    return Symptom(
        severity="info",
        sentence=f"the validation loss has risen from {number(min(losses))} to "
        f"{number(losses[-1])}, but the accuracy has not fallen",
        statistic="generalization_gap",
        value=view.series("generalization_gap")[-1],
        threshold=gap * view.chance,
        direction="above",
        series=tuple((e.step, e.metrics["val_data_loss"]) for e in view.epochs),
        patches=("early_stopping",),
    )


@diagnostics.register(
    source="Prechelt 1998, Early stopping - but when?",
    when=["end"],
    reasons=[31],
    causes=["overfit", "oscillating_loss"],
    covered_by=CANNOT_LEARN,
    demo=_by_heart(dataset=FEW),
    twin=_by_heart(dataset=FEW, training={"early_stopping": {"patience": 2}}),
)
def overtraining(view: View, /, *, share: Share = 0.7, worse: AtLeast1 = 1.05) -> Symptom | None:
    """The best epoch was long before the end.

    The epochs after it cost time and made the network worse on other data. Early stopping ends the
    training a few epochs after the minimum, with the weights of the best epoch.

    Args:
        view: the training.
        share: the best epoch over all epochs, below which many were in vain.
        worse: the last validation loss over the best.
    """
    losses = view.series("val_data_loss")
    if len(losses) < 5 or view.stage.restores_best:
        return None
    best = 1 + losses.index(min(losses))
    if best >= share * len(losses) or losses[-1] <= worse * min(losses):
        return None
    return Symptom(
        severity="info",
        sentence=f"the validation loss was best in epoch {view.epochs[best - 1].epoch} of "
        f"{view.epochs[-1].epoch}",
        statistic="best_epoch_share",
        value=best / len(losses),
        threshold=share,
        direction="below",
        series=tuple((e.step, e.metrics["val_data_loss"]) for e in view.epochs),
        patches=("early_stopping",),
        is_certain=True,
    )


@diagnostics.register(
    source="Goodfellow, Bengio & Courville 2016, section 5.2",
    when=["end"],
    reasons=[16, 24, 30],
    causes=[
        "bottleneck",
        "too_much_regularization",
        "too_much_augmentation",
        "regularization_overwhelms",
        "learning_rate_too_low",
        "learning_rate_too_high",
        "vanishing_gradient",
        "saturated_activation",
        "dead_relu",
        "loss_not_decreasing",
        "weight_update_ratio",
    ],
    tasks=["classification"],
    demo=on_digits(architecture=mlp(1, 2), training={"epochs": 15}),
    twin=on_digits(training={"epochs": 15}),
)
def underfit(
    view: View, /, *, accuracy: Share = 0.75, gap: Share = 0.1, gain: Share = 0.05
) -> Symptom | None:
    """The network is not even good on its training samples, and no longer improves.

    The gap to the validation split is small: more data would not help. The network needs more
    capacity, more epochs, another learning rate or less regularization.

    Args:
        view: the training.
        accuracy: the accuracy on clean training samples below which it is low.
        gap: the gap as a fraction of the loss at chance, above which it is overfitting instead.
        gain: the fraction by which the loss falls in the last three epochs, if it still improves.
    """
    losses = view.series("train_eval_loss")
    reached = None if view.reading is None else view.reading.accuracy
    present_gap = view.metric("generalization_gap")
    if len(losses) < 4 or reached is None or present_gap is None:
        return None
    if reached >= accuracy or present_gap >= gap * view.chance:
        return None
    if losses[-1] < (1 - gain) * losses[-4]:
        return None
    return Symptom(
        severity="warning",
        sentence=f"only {number(100 * reached)} % of the training samples are classified "
        "correctly, and the loss no longer falls",
        statistic="training_accuracy",
        value=reached,
        threshold=accuracy,
        direction="below",
        series=tuple((e.step, e.metrics["train_eval_loss"]) for e in view.epochs),
        patches=("four_times_wider", "learning_rate", "more_epochs"),
        is_certain=True,
    )


def fall_per_epoch(view: View) -> float | None:
    """Return by which fraction the validation loss falls in each of the last three epochs.

    None where the last epoch is not the best, or there are too few epochs.
    """
    losses = view.series("val_data_loss")
    if len(losses) < 3 or losses[-1] > min(losses) or losses[-1] <= 0:
        return None
    first, epochs = losses[-min(4, len(losses))], min(4, len(losses)) - 1
    return 1 - (losses[-1] / first) ** (1 / epochs) if first > 0 else 0.0


def _fall_of_readings(view: View) -> float | None:
    """Return by which fraction the loss of the watched samples falls in an epoch.

    None where the last reading is not the best, or where much is learned already: a short training
    is no fault. The first steps, after which every loss falls, are left out where there are others.
    """
    readings = [reading for reading in view.readings if reading.step > 0]
    if len(readings) < 2 or readings[-1].loss > min(reading.loss for reading in readings):
        return None
    if readings[-1].loss <= LEARNED * view.chance:
        return None
    first, last = readings[1 if len(readings) > 2 else 0], readings[-1]
    epochs = max(0.5, (last.step - first.step) / view.stage.steps_per_epoch)
    return 1 - (last.loss / first.loss) ** (1 / epochs) if first.loss > 0 else 0.0


@diagnostics.register(
    source="Prechelt 1998, Early stopping - but when?",
    when=["end"],
    reasons=[31],
    causes=["learning_rate_too_low", "weight_update_ratio"],
    demo=on_digits(optimizer={"name": "sgd", "learning_rate": 0.001}, training={"epochs": 4}),
    twin=on_digits(
        optimizer={"name": "sgd", "learning_rate": 0.05, "schedule": "cosine"},
        training={"epochs": 30},
    ),
)
def stopped_too_early(view: View, /, *, slope: Share = 0.05) -> Symptom | None:
    """The training ended while the loss was still falling.

    The last epoch is the best, and each of the last epochs was clearly better than its predecessor:
    more epochs would have made the network better. After one or two epochs, which have no such
    series, the loss of the same training samples early and late counts.

    Args:
        view: the training.
        slope: the mean fall of the validation loss per epoch over the last three, as a fraction.
    """
    is_short = len(view.series("val_data_loss")) < 3
    falls = _fall_of_readings(view) if is_short else fall_per_epoch(view)
    is_learned = view.reading is not None and (view.reading.accuracy or 0) > 0.98
    if falls is None or not falls >= slope or is_learned:
        return None
    series = tuple((e.step, e.metrics["val_data_loss"]) for e in view.epochs)
    if is_short:
        series = tuple((reading.step, reading.loss) for reading in view.readings)
    kind = "training" if is_short else "validation"
    return Symptom(
        severity="info",
        sentence=f"the {kind} loss still fell by {number(100 * falls)} % an epoch at the end",
        statistic="fall_per_epoch",
        value=falls,
        threshold=slope,
        direction="above",
        series=series,
        patches=("more_epochs", "learning_rate"),
        is_certain=True,
    )
