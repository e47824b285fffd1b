"""Rules on single samples and on what the splits have in common."""

from typing import Annotated

from pydantic import Field

from worker.diagnostics.demos import on_digits
from worker.diagnostics.readings import SplitReading
from worker.diagnostics.symptom import Symptom, number, percent
from worker.diagnostics.view import View
from worker.registry import diagnostics

AtLeast1 = Annotated[float, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
#: Classes need so many samples in a split before their shares are judged.
MIN_PER_CLASS = 20
#: Standard errors that a difference of means must exceed as well.
STANDARD_ERRORS = 4
#: What a statistic of drift means.
DRIFTS = {
    "mean_shift": "the mean of a channel differs by {} deviations",
    "deviation_ratio": "the deviation of a channel differs by a factor of {}",
    "cramers_v": "the classes have other shares (Cramér's V is {})",
}


@diagnostics.register(
    source="Barz & Denzler 2020, arXiv:1902.00423 (duplicates between training and test)",
    when=["start"],
    reasons=[1, 15],
    causes=[],
    demo=None,
    twin=None,
)
def duplicate_across_splits(
    view: View, /, *, share: Share = 0.001, error: Share = 0.05
) -> Symptom | None:
    """Images of the validation or test split are in the training split too.

    The network has seen their answers, so that validation and test results are too good. Compared
    are the exact pixels.

    Args:
        view: the training.
        share: the share of a split's images that makes a warning.
        error: the same for an error.
    """
    data = view.data
    if data is None or data.shared is None:
        return None
    shares = {name: count / data.splits[name].samples for name, count in data.shared.items()}
    name, value = max(shares.items(), key=lambda entry: entry[1])
    if value <= 0:
        return None
    severity = "error" if value > error else "warning" if value > share else "info"
    return Symptom(
        severity=severity,
        sentence=f"{percent(value)} of the images of the {name} split are also in the training "
        "split",
        statistic="shared_share",
        value=value,
        threshold=error if severity == "error" else share if severity == "warning" else 0.0,
        direction="above",
        samples=data.splits[name].samples,
        details={"images": dict(data.shared)},
        next="Remove the duplicates from the data set, and draw the splits again",
        is_certain=True,
    )


@diagnostics.register(
    source="Northcutt, Athalye & Mueller 2021, arXiv:2103.14749 (errors in labels of benchmarks)",
    when=["start"],
    reasons=[6],
    causes=["constant_input"],
    tasks=["classification"],
    demo=None,
    twin=None,
)
def conflicting_labels(view: View, /, *, share: Share = 0.005) -> Symptom | None:
    """The same training image has several labels.

    At most one of the labels can be right, so that no network can learn them all. The loss cannot
    fall below what these images cost.

    Args:
        view: the training.
        share: the share of training images that makes a warning; fewer are a remark.
    """
    data = view.data
    if data is None or not data.conflicting:
        return None
    value = data.conflicting / data.splits["train"].samples
    return Symptom(
        severity="warning" if value > share else "info",
        sentence=f"{data.conflicting} training images are equal to another image that has another "
        "label",
        statistic="conflicting_share",
        value=value,
        threshold=share if value > share else 0.0,
        direction="above",
        samples=data.splits["train"].samples,
        next="Correct the labels, or remove the images",
        is_certain=True,
    )


@diagnostics.register(
    source="cleanlab, Datalab issues of images (low information)",
    when=["start"],
    reasons=[1],
    causes=[],
    demo=on_digits(dataset={"name": "digits", "channels": 3}, training={"epochs": 2}),
    twin=on_digits(training={"epochs": 2}),
)
def constant_input(view: View, /, *, share: Share = 0.01) -> Symptom | None:
    """Some training images are blank, or all channels are equal.

    A blank image has no information, so that its label can only be learned by heart. Equal channels
    are no fault, but one channel would do and cost a third.

    Args:
        view: the training.
        share: the share of blank training images that makes a warning.
    """
    data = view.data
    if data is None or data.constant is None:
        return None
    value = data.constant / data.splits["train"].samples
    if value <= share and not data.is_grey:
        return None
    is_blank = value > share
    blank = f"{percent(value)} of the training images are blank"
    return Symptom(
        severity="warning" if is_blank else "info",
        sentence=blank if is_blank else "all three channels of every image are equal",
        statistic="blank_share",
        value=value,
        threshold=share,
        direction="above" if is_blank else "below",
        samples=data.splits["train"].samples,
        next="Remove the blank images" if is_blank else "Set `channels` to 1",
        is_certain=True,
    )


@diagnostics.register(
    source="Deepchecks, checks of drift between training and test; Cramér 1946, section 21.9",
    when=["start"],
    reasons=[15],
    causes=[],
    demo=None,
    twin=None,
)
def split_drift(
    view: View,
    /,
    *,
    mean: Positive = 0.25,
    deviation: AtLeast1 = 1.25,
    association: Share = 0.15,
) -> Symptom | None:
    """The validation or test split is unlike the training split.

    A network is good on data like its training data. Where the splits come from different sources,
    or are prepared differently, validation and test results say little.

    Args:
        view: the training.
        mean: the difference of a channel's means, in deviations of the training split.
        deviation: the ratio of a channel's deviations, or its inverse.
        association: Cramér's V between split and class.
    """
    data = view.data
    if data is None:
        return None
    train = data.splits["train"]
    for name in ("validation", "test"):
        other = data.splits[name]
        shift, ratio = _shift(train, other), _ratio(train, other)
        errors = STANDARD_ERRORS * (1 / max(1, other.measured)) ** 0.5
        statistic, value, threshold = "mean_shift", shift, mean
        if not (shift > mean and shift > errors) and ratio > deviation and other.measured >= 100:
            statistic, value, threshold = "deviation_ratio", ratio, deviation
        v = _cramers_v(train.counts, other.counts)
        if v > association:
            statistic, value, threshold = "cramers_v", v, association
        if value > threshold and (statistic != "mean_shift" or value > errors):
            return Symptom(
                severity="warning",
                sentence=f"the {name} split is unlike the training split: "
                f"{DRIFTS[statistic].format(number(value))}",
                statistic=statistic,
                value=value,
                threshold=threshold,
                direction="above",
                samples=other.measured,
                details={"means": list(other.means), "training_means": list(train.means)},
                next="Check where the files of each split come from, or draw the splits at random",
                is_certain=True,
            )
    return None


def _shift(train: SplitReading, other: SplitReading) -> float:
    pairs = zip(train.means, other.means, train.deviations, strict=True)
    return max((abs(b - a) / max(s, 1e-6) for a, b, s in pairs), default=0.0)


def _ratio(train: SplitReading, other: SplitReading) -> float:
    pairs = [*zip(train.deviations, other.deviations, strict=True)]
    return max((max(a, b) / max(min(a, b), 1e-6) for a, b in pairs), default=1.0)


def _cramers_v(train: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Return Cramér's V between split and class, without its bias; 0 for small splits."""
    total = sum(train) + sum(other)
    classes = sum(a + b > 0 for a, b in zip(train, other, strict=True))
    if classes < 2 or sum(other) < MIN_PER_CLASS * classes:
        return 0.0
    chi_squared = 0.0
    for a, b in zip(train, other, strict=True):
        for seen, size in ((a, sum(train)), (b, sum(other))):
            expected = (a + b) * size / total
            chi_squared += (seen - expected) ** 2 / expected if expected else 0.0
    corrected = max(0.0, chi_squared / total - (classes - 1) / (total - 1))
    return corrected**0.5
