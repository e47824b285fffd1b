"""Rules that check the service and the weights that it is given, rather than the specification."""

from typing import Annotated

from pydantic import Field

from worker.diagnostics.symptom import Symptom, number
from worker.diagnostics.view import View
from worker.registry import diagnostics

Positive = Annotated[float, Field(gt=0)]
AtLeast1 = Annotated[float, Field(ge=1)]


@diagnostics.register(
    source="Goodfellow, Bengio & Courville 2016, section 11.5 (numerical derivatives)",
    when=["start"],
    mode="full",
    reasons=[18, 19, 22, 26],
    causes=[],
    demo=None,
    twin=None,
)
def gradient_check(view: View, /, *, error: Positive = 1e-3) -> Symptom | None:
    """Backpropagation does not give the derivative of the loss.

    The weights are moved a little in random directions, in float64, and the change of the loss is
    compared with what the gradient predicts. Both agree to many digits in a correct network. If
    they do not, a layer, the loss or a penalty computes a wrong gradient: a fault of the service,
    not of the specification.

    Args:
        view: the training.
        error: the relative error of the best of several differences in one direction.
    """
    found = view.gradient_check()
    if found is None or not found.errors:
        return None
    value = max(found.errors)
    if value <= error:
        return None
    return Symptom(
        severity="error",
        sentence=f"the gradient differs from the change of the loss by {number(value)} of its size",
        statistic="relative_error",
        value=value,
        threshold=error,
        direction="above",
        samples=found.samples,
        details={"errors": list(found.errors)},
        next="Report it to the administrator: the network or the loss computes a wrong gradient",
        is_certain=True,
    )


@diagnostics.register(
    source="torchvision, models and pre-trained weights (each has transforms of its own)",
    when=["start"],
    reasons=[14],
    causes=[],
    demo=None,
    twin=None,
)
def pretrained_preprocessing(
    view: View, /, *, mean: Positive = 0.5, ratio: AtLeast1 = 2.0, shift: Positive = 2.0
) -> Symptom | None:
    """The inputs are prepared differently than the pretrained weights expect.

    The weights were trained on inputs with a certain mean and scale. On inputs of another scale
    their filters answer too much or too little, and the running statistics of batch norm no longer
    fit: the network starts far from what it has learned before.

    Args:
        view: the training.
        mean: the difference of a channel's mean from what the weights expect, in deviations.
        ratio: the ratio of a channel's deviation to what the weights expect, or its inverse.
        shift: how far the inputs of the first batch norm are from its running mean, in deviations.
    """
    fine_tuning, data, reading = view.spec.get("fine_tuning"), view.data, view.first_reading
    if not fine_tuning or not fine_tuning["weights"] or data is None or not data.is_image:
        return None
    train, expected = data.splits["train"], data.expected
    found: list[tuple[str, float, float]] = []
    if expected is not None:
        pairs = [*zip(train.deviations, expected.deviations, strict=True)]
        moved = zip(train.means, expected.means, expected.deviations, strict=True)
        difference = max(abs(a - b) / max(s, 1e-6) for a, b, s in moved)
        scale = max(max(a, b) / max(min(a, b), 1e-6) for a, b in pairs)
        found += [("deviation_ratio", scale, ratio), ("mean_difference", difference, mean)]
    elif reading is not None and reading.statistics_shift is not None:
        found += [("statistics_shift", reading.statistics_shift, shift)]
    beyond = [entry for entry in found if entry[1] > entry[2]]
    if not beyond:
        return None
    statistic, value, threshold = max(beyond, key=lambda entry: entry[1] / entry[2])
    sentence = f"the inputs have the mean {number(train.means[0])} and the deviation "
    sentence += f"{number(train.deviations[0])}"
    if expected is not None:
        sentence += f"; the weights expect {number(expected.means[0])} and "
        sentence += f"{number(expected.deviations[0])}"
    else:
        sentence += f", {number(value)} deviations from what the first batch norm expects"
    return Symptom(
        severity="error",
        sentence=sentence,
        statistic=statistic,
        value=value,
        threshold=threshold,
        direction="above",
        samples=train.measured,
        patches=("of_weights", "standardize"),
        is_certain=True,
    )
