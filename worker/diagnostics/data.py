"""Rules on the data, before the first step."""

from typing import Annotated

from pydantic import Field

from worker.diagnostics.demos import on_digits
from worker.diagnostics.symptom import Symptom, number
from worker.diagnostics.view import View
from worker.registry import diagnostics

AtLeast1 = Annotated[float, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
#: Classes need so many samples in a split before their shares are judged.
MIN_PER_CLASS = 20


@diagnostics.register(
    source="LeCun, Bottou, Orr & Müller 1998, Efficient BackProp, section 4.3",
    when=["start"],
    reasons=[12],
    causes=["pretrained_preprocessing"],
    demo=on_digits(dataset={"name": "digits", "normalization": "none"}),
    twin=on_digits(dataset={"name": "digits", "normalization": "standardize"}),
)
def input_scale(
    view: View,
    /,
    *,
    mean: Positive = 0.5,
    smallest: Positive = 0.2,
    largest: Positive = 4.0,
    extreme: Positive = 50.0,
) -> Symptom | None:
    """The inputs are not centred or have a deviation far from 1.

    The gradient of a weight of the first layer is proportional to its input. Inputs in 0–255 make
    it hundreds of times larger than the layers behind expect, and inputs with a large mean make the
    weights of a unit move together. Standardized inputs have neither.

    Args:
        view: the training.
        mean: the largest magnitude of a channel's mean.
        smallest: the smallest deviation of a channel.
        largest: the largest deviation of a channel.
        extreme: the magnitude of an input above which it is an error.
    """
    data = view.data
    # The columns of a table are standardized one by one, and rare values are large.
    if data is None or not data.is_image:
        return None
    train = data.splits["train"]
    highest_mean = max(map(abs, train.means))
    low, high = min(train.deviations), max(train.deviations)
    is_error = train.largest > extreme
    if not is_error and highest_mean <= mean and smallest <= low and high <= largest:
        return None
    statistic, value, threshold = "largest_input", train.largest, extreme
    if not is_error:
        statistic, value, threshold = "largest_mean", highest_mean, mean
        if highest_mean <= mean:
            is_small = low < smallest
            statistic = "deviation"
            value, threshold = (low, smallest) if is_small else (high, largest)
    return Symptom(
        severity="error" if is_error else "warning",
        sentence=f"the inputs have the mean {number(train.means[0])}, the deviation "
        f"{number(train.deviations[0])} and values up to {number(train.largest)}",
        statistic=statistic,
        value=value,
        threshold=threshold,
        direction="below" if value < threshold else "above",
        samples=train.measured,
        details={"means": list(train.means), "deviations": list(train.deviations)},
        patches=("standardize", "batch_norm"),
        is_certain=True,
    )


@diagnostics.register(
    source="Amazon SageMaker Debugger, rule ClassImbalance; cleanlab, underperforming groups",
    when=["start"],
    reasons=[8],
    causes=[],
    tasks=["classification"],
    demo=None,
    twin=None,
)
def class_imbalance(
    view: View, /, *, ratio: AtLeast1 = 10.0, some: AtLeast1 = 3.0
) -> Symptom | None:
    """Some classes have many more training samples than others.

    The loss is a mean over samples, so that a network can lower it by ignoring a rare class. Class
    weights, or more samples of the rare classes, make every class count. Look at the accuracy by
    class, not at the accuracy alone.

    Args:
        view: the training.
        ratio: samples of the largest class over the smallest that make a warning.
        some: the same for a remark.
    """
    data = view.data
    if data is None or not data.splits["train"].counts:
        return None
    counts = data.splits["train"].counts
    present = [count for count in counts if count]
    if sum(counts) < MIN_PER_CLASS * len(counts) or len(present) < 2:
        return None
    value = max(present) / min(present)
    if value <= some:
        return None
    largest, smallest = counts.index(max(counts)), counts.index(min(present))
    names = data.class_names
    return Symptom(
        severity="warning" if value > ratio else "info",
        sentence=f"{names[largest]} has {max(counts)} training samples and {names[smallest]} has "
        f"{min(present)}",
        statistic="class_count_ratio",
        value=value,
        threshold=ratio if value > ratio else some,
        direction="above",
        samples=sum(counts),
        details={"counts": dict(zip(names[:50], counts[:50], strict=True))},
        patches=("balanced",),
        next="Add samples of the rare classes",
        is_certain=True,
    )


@diagnostics.register(
    source="Goodfellow, Bengio & Courville 2016, section 1.2.2 (5,000 examples a class)",
    when=["start"],
    reasons=[9],
    causes=[],
    demo=on_digits(dataset={"name": "digits", "train": 40}),
    twin=on_digits(),
)
def too_few_examples(
    view: View, /, *, few: AtLeast1 = 20.0, hardly: AtLeast1 = 5.0
) -> Symptom | None:
    """There are few training samples for the number of classes.

    With a handful of samples of a class, a network learns them by heart instead of what they have
    in common. More data, augmentation or weights that are trained on other images help.

    Args:
        view: the training.
        few: training samples per class that make a remark.
        hardly: the same for a warning.
    """
    data = view.data
    if data is None or not view.classes or (view.spec.get("fine_tuning") or {}).get("weights"):
        return None
    per_class = data.splits["train"].samples / view.classes
    if per_class >= few:
        return None
    return Symptom(
        severity="warning" if per_class < hardly else "info",
        sentence=f"the training split has {number(per_class)} samples per class",
        statistic="samples_per_class",
        value=per_class,
        threshold=hardly if per_class < hardly else few,
        direction="below",
        samples=data.splits["train"].samples,
        details={"parameters": data.parameters},
        patches=("early_stopping",),
        next="Add samples, augmentation, or pretrained weights",
        is_certain=True,
    )
