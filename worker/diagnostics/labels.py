"""Rules on labels: whether they are right, and whether they have to do with the inputs."""

import math
from typing import Annotated

from pydantic import Field

from worker.diagnostics.symptom import Symptom, number, percent
from worker.diagnostics.view import View
from worker.registry import diagnostics

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
#: Of a linear classifier that has learned from fewer training samples, the answers say too little.
MIN_PER_CLASS = 20
#: Faults of the network or its training after which nothing is learned, whatever the data.
CANNOT_LEARN = (
    "symmetric_initialization",
    "input_scale",
    "poor_weight_initialization",
    "initial_loss",
    "saturated_activation",
    "vanishing_gradient",
    "exploding_gradient",
    "learning_rate_too_high",
    "learning_rate_too_low",
    "regularization_overwhelms",
    "dead_relu",
    "input_not_connected",
)
#: Faults after which nothing may be learned, whatever the labels.
LEARNS_NOTHING = (*CANNOT_LEARN, "bottleneck")


@diagnostics.register(
    source="Brodley & Friedl 1999, JAIR 11, Identifying mislabeled training data, section 3 "
    "(consensus filter)",
    when=["end"],
    reasons=[5, 6],
    causes=["conflicting_labels"],
    tasks=["classification"],
    demo=None,
    twin=None,
)
def label_errors(
    view: View,
    /,
    *,
    share: Share = 0.04,
    agreement: Share = 0.5,
    spread: Share = 0.58,
    rank: Share = 0.33,
    accuracy: Share = 0.5,
    errors: Positive = 1.645,
) -> Symptom | None:
    """Many labels of the validation split are probably wrong.

    The network and a linear classifier see the data in different ways. Where both give the same
    answer and the label says another class, the label is suspect. Classes that only look alike do
    the same, but in a few pairs of classes, and the label is the network's second answer; wrong
    labels are in all pairs and at any place of its scores. Wrong labels in
    the training split are learned by heart, and wrong labels in the test split make a network look
    worse than it is. A few disputed samples among some hundred may be chance, and so may answers
    that were learned from a few samples of each class: the rule is silent then. The analysis
    `label_errors` shows the samples: look at them before you change a label.

    Args:
        view: the training.
        share: the share of samples for which both give the same answer against the label.
        agreement: these samples over all that the network has wrong, below which it has learned
            too little.
        spread: the different pairs of label and answer over what random labels have, below which
            classes only look alike.
        rank: how far down the network's scores these labels stand, from 0 for second answers to 1
            for labels at random, below which classes only look alike. With two classes it says
            nothing.
        accuracy: the validation accuracy below which the network knows too little to judge labels.
        errors: by how many standard errors the share must be exceeded; 1.645 is a one-sided
            confidence of 95 %.
    """
    found = view.baseline()
    if found is None or found.own_accuracy < accuracy or found.own_accuracy >= 1:
        return None
    if found.train_samples < MIN_PER_CLASS * view.classes:
        return None
    value = found.disputed / found.samples
    agreeing = value / (1 - found.own_accuracy)
    limit = share + errors * math.sqrt(share * (1 - share) / found.samples)
    if value <= limit or agreeing <= agreement or found.spread <= spread:
        return None
    if found.rank <= rank:
        return None
    return Symptom(
        severity="warning",
        sentence=f"for {percent(value)} of the validation samples the network and a linear "
        "classifier agree on another class than the label",
        statistic="disputed_share",
        value=value,
        threshold=limit,
        direction="above",
        samples=found.samples,
        details={
            "agreement": agreeing,
            "spread": found.spread,
            "rank": found.rank,
            "issues": [
                {"sample": index, "label": label, "suggested": suggested}
                for index, label, suggested in found.listed
            ],
        },
        next="Look at them with `trainshed analyses start JOB label_errors`, and correct the "
        "labels in the data set",
        is_certain=True,
    )


@diagnostics.register(
    source="Zhang et al. 2017, arXiv:1611.03530, section 2 (random labels)",
    when=["epoch", "end"],
    mode="full",
    reasons=[2, 5],
    causes=[*LEARNS_NOTHING, "cannot_overfit_batch", "too_few_examples"],
    covered_by=["too_few_examples"],
    tasks=["classification"],
    demo=None,
    twin=None,
)
def shuffled_label_control(
    view: View, /, *, real: Positive = 5.0, shuffled: Positive = 4.0
) -> Symptom | None:
    """The network does no better with the real labels than with shuffled labels.

    A copy of the network is trained for an epoch on labels in a random order. It can learn nothing
    from them that helps on the validation split, so its accuracy there is that of guessing. If the
    real labels give no better network, they have nothing to do with the inputs: labels and images
    may have been paired wrongly.

    Args:
        view: the training.
        real: by how many standard errors the real labels must be better than the shuffled labels.
        shuffled: by how many standard errors the shuffled labels may be better than guessing.
    """
    accuracies = view.series("val_accuracy")
    control = view.shuffled_control() if accuracies else None
    if control is None:
        return None
    error = control.standard_error
    details = {"shuffled": control.accuracy, "chance": control.chance, "steps": control.steps}
    if control.accuracy > control.chance + shuffled * error:
        return Symptom(
            severity="error",
            sentence=f"after a training on shuffled labels {percent(control.accuracy)} of the "
            f"validation samples are right, and guessing gives {percent(control.chance)}: the "
            "inputs seem to contain the labels",
            statistic="shuffled_accuracy",
            value=control.accuracy,
            threshold=control.chance + shuffled * error,
            direction="above",
            samples=control.samples,
            details=details,
            next="Check the split: validation samples must not be in the training split",
            is_certain=True,
        )
    best, limit = max(accuracies), max(control.accuracy, control.chance) + real * error
    is_vague = real * error > (1 - control.chance) / 2  # with as few samples as these
    if best > limit or is_vague:
        return None
    return Symptom(
        severity="error",
        sentence=f"the validation accuracy is {number(best)} with the labels as they are, and "
        f"{number(control.accuracy)} after a training on shuffled labels",
        statistic="validation_accuracy",
        value=best,
        threshold=limit,
        direction="below",
        samples=control.samples,
        details=details,
        series=tuple(
            (e.step, e.metrics["val_accuracy"]) for e in view.epochs if "val_accuracy" in e.metrics
        ),
        next="Check that each image has its own label: `trainshed preview` shows some of them",
    )
