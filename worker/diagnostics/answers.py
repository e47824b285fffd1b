"""Rules on the answers of the trained network: against a linear classifier, and by class."""

import math
from typing import Annotated

from pydantic import Field

from worker.diagnostics.demos import mlp, on_digits
from worker.diagnostics.generalization import fall_per_epoch
from worker.diagnostics.labels import CANNOT_LEARN
from worker.diagnostics.symptom import Symptom, percent
from worker.diagnostics.view import View, median
from worker.registry import diagnostics

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
#: Classes with fewer samples are not judged.
MIN_PER_CLASS = 20
#: After these a network has learned so little that its answers say nothing more.
COVERED_BY = [
    *CANNOT_LEARN,
    "weight_update_ratio",
    "too_much_regularization",
    "too_much_augmentation",
    "prediction_collapse",
    "loss_not_decreasing",
    "train_eval_mismatch",
    "single_label_batch",
    "class_imbalance",
    "label_errors",
    "shuffled_label_control",
]
#: What keeps a network from becoming good.
CAUSES = [
    *COVERED_BY,
    "bottleneck",
    "overfit",
    "underfit",
]
#: A validation loss that falls faster than this per epoch shows that the training was too short.
STILL_FALLING = 0.05


def _is_unfinished(view: View) -> bool:
    """Return whether more epochs would have helped, so that the network cannot be judged yet."""
    falls = fall_per_epoch(view)
    return len(view.epochs) < 3 or (falls is not None and falls >= STILL_FALLING)


@diagnostics.register(
    source="Deepchecks, check of simple model comparison; McNemar 1947, Psychometrika 12",
    when=["end"],
    reasons=[16, 21],
    causes=CAUSES,
    covered_by=COVERED_BY,
    tasks=["classification"],
    demo=on_digits(optimizer={"name": "sgd", "learning_rate": 5e-4, "schedule": "cosine"}),
    twin=on_digits(optimizer={"name": "sgd", "learning_rate": 0.02, "schedule": "cosine"}),
)
def weak_against_baseline(view: View, /, *, errors: Positive = 3.0) -> Symptom | None:
    """The network is worse than a linear classifier.

    A linear classifier by least squares is computed in a moment from some of the training samples,
    and makes fewer mistakes on the same validation samples. The depth of the network is of no use
    then: it has not been trained long enough, or something keeps it from learning.

    Args:
        view: the training.
        errors: how many standard errors the difference of both must have: of the samples that
            only the network, or only the linear classifier, has right.
    """
    found = view.baseline()
    if found is None:
        return None
    different = found.only_linear + found.only_own
    value = (found.only_linear - found.only_own) / math.sqrt(max(1, different))
    if value <= errors:
        return None
    return Symptom(
        severity="info" if _is_unfinished(view) else "warning",
        sentence=f"{percent(1 - found.own_accuracy)} of the validation samples are wrong, and a "
        f"linear classifier has only {percent(1 - found.accuracy)} wrong",
        statistic="standard_errors",
        value=value,
        threshold=errors,
        direction="above",
        samples=found.samples,
        details={
            "accuracy": found.own_accuracy,
            "linear_accuracy": found.accuracy,
            "only_linear_right": found.only_linear,
            "only_network_right": found.only_own,
            "linear_training_samples": found.train_samples,
        },
        patches=("learning_rate", "more_epochs", "adam"),
        is_certain=True,
    )


@diagnostics.register(
    source="Amazon SageMaker Debugger, rules Confusion and ClassImbalance (misprediction)",
    when=["end"],
    reasons=[21],
    causes=[*CAUSES, "weak_against_baseline"],
    covered_by=COVERED_BY,
    tasks=["classification"],
    demo=on_digits(architecture=mlp(1, 2, activation="elu"), training={"epochs": 10}),
    twin=on_digits(training={"epochs": 10}),
)
def confused_classes(
    view: View, /, *, share: Share = 0.15, times: Positive = 5.0, recall: Share = 0.1
) -> Symptom | None:
    """Samples of one class are often taken for another class.

    The accuracy is a mean over all classes and hides a class that the network does not recognize.
    Two classes that are mixed up may look alike, or one of them has few samples or wrong labels.
    `trainshed confusion JOB` shows the whole table, and the samples of a cell.

    Args:
        view: the training.
        share: the share of a class's samples that is taken for one other class.
        times: this share over the median of all wrong cells.
        recall: the share of a class that is right, below which it is a warning.
    """
    found = view.validation()
    if found is None or view.data is None:
        return None
    names, cells, worst = view.data.class_names, list[tuple[float, int, int]](), (1.0, -1)
    for label, row in enumerate(found.confusion):
        total = sum(row)
        if total < MIN_PER_CLASS:
            continue
        worst = min(worst, (row[label] / total, label))
        cells += [(n / total, label, other) for other, n in enumerate(row) if other != label]
    if not cells:
        return None
    most, label, other = max(cells)
    usual = median([value for value, _, _ in cells])
    pairs = [
        {"label": names[i], "predicted": names[j], "share": value}
        for value, i, j in sorted(cells, reverse=True)[:5]
        if value > 0
    ]
    if worst[0] < recall:
        return Symptom(
            severity="info" if _is_unfinished(view) else "warning",
            sentence=f"only {percent(worst[0])} of the samples of {names[worst[1]]} are recognized",
            statistic="recall",
            value=worst[0],
            threshold=recall,
            direction="below",
            samples=found.samples,
            details={"pairs": pairs},
            patches=("balanced", "four_times_wider", "more_epochs"),
            is_certain=True,
        )
    if most <= share or most <= times * usual:
        return None
    return Symptom(
        severity="info",
        sentence=f"{percent(most)} of the samples of {names[label]} are taken for {names[other]}",
        statistic="confusion_share",
        value=most,
        threshold=share,
        direction="above",
        samples=found.samples,
        details={"pairs": pairs, "median": usual},
        next=f"Look at the samples of {names[label]} that are taken for {names[other]}: their "
        "labels may be wrong, or the classes too alike",
        is_certain=True,
    )
