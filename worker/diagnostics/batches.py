"""Rules on batches: which samples are in a step, and how many."""

from typing import Annotated

from pydantic import Field

from worker.diagnostics.behaviour import oscillation
from worker.diagnostics.demos import on_digits
from worker.diagnostics.symptom import Symptom, number, percent
from worker.diagnostics.view import View
from worker.registry import diagnostics

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


@diagnostics.register(
    source="cleanlab, Datalab check of non-iid data (order of the samples), on labels",
    when=["start"],
    reasons=[7, 10],
    causes=["class_imbalance"],
    tasks=["classification"],
    demo=on_digits(
        dataset={"name": "digits", "train": 200}, training={"batch_size": 1, "epochs": 1}
    ),
    twin=on_digits(dataset={"name": "digits", "train": 200}, training={"epochs": 20}),
)
def single_label_batch(
    view: View, /, *, times: Positive = 4.0, most: Share = 0.5, deviations: Positive = 5.0
) -> Symptom | None:
    """Most batches have samples of a single class.

    The gradient of such a batch makes one class likelier for every image, and the gradient of the
    next batch another class: the steps undo each other. Every batch should have several classes, in
    a random order. The service shuffles the samples in each epoch, so the usual reason is a batch
    of one or two samples.

    Args:
        view: the training.
        times: batches of one label over their number in a random order, above which samples are not
            shuffled.
        most: the share of such batches above which batches are too small.
        deviations: how many deviations fewer changes of the label than in a random order there are
            where samples are not shuffled.
    """
    data = view.data
    if data is None or data.batches is None or view.classes < 2:
        return None
    found, train = data.batches, data.splits["train"]
    if sum(count > 0 for count in train.counts) < 2:
        return None  # which no size of a batch changes
    share = found.single / max(1, found.batches)
    # Five batches more than expected: one by chance among a few is no sign.
    is_often = found.single > times * found.expected_single + 5
    if is_often or found.order_deviations > deviations:
        return Symptom(
            severity="error",
            sentence=f"the training samples are not in a random order: {found.single} of "
            f"{found.batches} batches have a single label, and {number(found.expected_single)} are "
            "usual",
            statistic="order_deviations",
            value=found.order_deviations,
            threshold=deviations,
            direction="above",
            samples=train.samples,
            details={"batches": list(found.first_single)},
            next="Report it to the administrator: the service itself shuffles the samples",
            is_certain=True,
        )
    if share <= most:
        return None
    size = min(view.stage.batch_size, train.samples)
    samples = "1 sample" if size == 1 else f"{size} samples"
    return Symptom(
        severity="warning",
        sentence=f"{percent(share)} of the batches have samples of one class only: a batch has "
        f"{samples}",
        statistic="single_label_share",
        value=share,
        threshold=most,
        direction="above",
        samples=train.samples,
        details={"batches": list(found.first_single)},
        patches=("batch_of_all_classes",),
        is_certain=True,
    )


@diagnostics.register(
    source="Byrd, Chin, Nocedal & Wu 2012, Mathematical Programming 134 (norm test); McCandlish et "
    "al. 2018, arXiv:1812.06162",
    when=["epoch"],
    mode="full",
    reasons=[11],
    causes=["learning_rate_too_high"],
    demo=on_digits(training={"batch_size": 1024, "epochs": 4}),
    twin=on_digits(training={"batch_size": 32, "epochs": 4}),
)
def gradient_noise(
    view: View, /, *, noisy: Positive = 10.0, smooth: Positive = 0.5, share: Share = 0.1
) -> Symptom | None:
    """The batches are much larger, or much smaller, than the noise of the gradient requires.

    The gradient of a batch is the mean gradient plus noise that falls with the root of the batch's
    size. Where the noise is a small part already, a larger batch costs time and gives the same
    step: smaller batches make more steps an epoch. Where the noise is many times the gradient and
    the loss swings, larger batches or a smaller learning rate help.

    Args:
        view: the training.
        noisy: the deviation of a batch's gradient over the norm of the mean gradient above which a
            batch is too small, if the loss oscillates too.
        smooth: the same ratio below which a batch is larger than needed.
        share: the share of the training split from which on a batch can be larger than needed.
    """
    epoch, last = len(view.epochs), view.stage.epochs
    is_due = epoch == min(2, last) or epoch == max(2, last // 2)
    noise = view.gradient_noise() if is_due else view.noise
    if not noise or view.data is None:
        return None
    found, train = noise[-1], view.data.splits["train"].samples
    series = tuple((entry.step, entry.ratio) for entry in noise)
    if found.ratio < smooth and found.batch_size > share * train:
        return Symptom(
            severity="info",
            sentence=f"batches of {min(found.batch_size, train)} are larger than needed: the noise "
            f"of their gradient is {number(found.ratio)} of the gradient itself",
            statistic="gradient_noise_ratio",
            value=found.ratio,
            threshold=smooth,
            direction="below",
            samples=found.samples,
            series=series,
            patches=("smaller_batch",),
            is_certain=True,
        )
    if found.ratio <= noisy or oscillation(view) is None:
        return None
    return Symptom(
        severity="warning",
        sentence=f"batches of {found.batch_size} are too small: the noise of their gradient is "
        f"{number(found.ratio)} times the gradient, and the loss swings",
        statistic="gradient_noise_ratio",
        value=found.ratio,
        threshold=noisy,
        direction="above",
        samples=found.samples,
        series=series,
        patches=("double_batch", "lower_learning_rate"),
        is_certain=True,
    )
