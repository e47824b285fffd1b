"""Rules on the initial weights, read before the first step."""

import math
from typing import Annotated

from pydantic import Field

from worker.diagnostics.demos import mlp, on_digits
from worker.diagnostics.symptom import Symptom, number, worst
from worker.diagnostics.view import View
from worker.registry import diagnostics

AtLeast1 = Annotated[float, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
#: Fewer weight layers have no growth from layer to layer.
MIN_LAYERS = 3


def _is_new(view: View) -> bool:
    """Return whether the weights of the body are drawn at random, not trained already."""
    fine_tuning = view.spec.get("fine_tuning")
    return not (fine_tuning and fine_tuning["weights"])


@diagnostics.register(
    source="Goodfellow, Bengio & Courville 2016, section 8.4 (breaking the symmetry)",
    when=["start"],
    reasons=[28],
    causes=[],
    demo=on_digits(initializer="zeros"),
    twin=on_digits(initializer="he_normal"),
)
def symmetric_initialization(view: View, /) -> Symptom | None:
    """All units of a layer start with the same weights and stay equal.

    Units with the same weights compute the same output and receive the same gradient, so that each
    step keeps them equal: the layer has in effect one unit. With zeros in more than one layer, the
    gradient is 0 as well. Random initial weights break the symmetry.
    """
    reading = view.first_reading
    if reading is None or not _is_new(view):
        return None
    layers = reading.weight_layers
    equal = [layer for layer in layers[:-1] if layer.is_symmetric]
    if not equal and not (len(layers) == 1 and layers[0].is_symmetric):
        return None
    is_linear = not equal
    name = (equal or layers)[0].name
    share = len(equal or layers) / len(layers)
    sentence = f"all units of {name} start with the same weights"
    return Symptom(
        # Without hidden layers the targets break the symmetry.
        severity="info" if is_linear else "error",
        sentence=sentence if share <= 0.5 else f"{sentence}, in other layers too",
        statistic="symmetric_layers_share",
        value=share,
        threshold=0.0,
        direction="above",
        layers=tuple((layer.name, float(layer.units)) for layer in (equal or layers)[:5]),
        patches=("he_normal", "fitting_initializer"),
        is_certain=True,
    )


@diagnostics.register(
    source="He et al. 2015, arXiv:1502.01852, section 2.2; Glorot & Bengio 2010, equation 12",
    when=["start"],
    reasons=[28, 35],
    causes=["symmetric_initialization", "input_scale"],
    covered_by=["input_scale"],
    demo=on_digits(architecture=mlp(10, 64), initializer={"name": "normal", "scale": 0.05}),
    twin=on_digits(architecture=mlp(10, 64)),
)
def poor_weight_initialization(
    view: View,
    /,
    *,
    growth: AtLeast1 = 1.6,
    total: AtLeast1 = 10.0,
    smallest: Positive = 1e-3,
    largest: Positive = 1e2,
) -> Symptom | None:
    """The outputs of the layers grow or shrink from layer to layer.

    Each layer multiplies the deviation of its inputs by √(fan_in)·σ and a factor of the activation
    function. If the product is not 1, signals and gradients grow or vanish exponentially with the
    depth. He's and Xavier's initializers choose σ so that it is 1.

    Args:
        view: the training.
        growth: the factor per layer above which, or below whose inverse, the initial scale is poor.
        total: the factor from the first to the last layer that must be exceeded as well.
        smallest: the deviation of a layer's outputs below which nothing arrives.
        largest: the deviation above which outputs are too large.
    """
    reading = view.first_reading
    if reading is None or not _is_new(view):
        return None
    layers = [layer for layer in reading.weight_layers if layer.deviation > 0]
    # Over a single output there is no deviation from unit to unit.
    if layers and layers[-1].units == 1:
        layers = layers[:-1]
    # With batch norm behind it, a layer's scale has no effect.
    if any(layer.is_normalized for layer in layers[:-1]) or len(layers) < MIN_LAYERS:
        return None
    first, last = layers[0].deviation, layers[-1].deviation
    factor = (last / first) ** (1 / (len(layers) - 1))
    deviations = [(layer.name, layer.deviation) for layer in layers]
    is_far = max(last / first, first / last) > total
    is_growing = (is_far and factor > growth) or max(v for _, v in deviations) > largest
    is_shrinking = (is_far and factor < 1 / growth) or min(v for _, v in deviations) < smallest
    if not is_growing and not is_shrinking:
        return None
    return Symptom(
        severity="error",
        sentence=f"the outputs of the layers {'grow' if is_growing else 'shrink'} "
        f"{number(factor if is_growing else 1 / factor)} times per layer, from {number(first)} in "
        f"{layers[0].name} to {number(last)} in {layers[-1].name}",
        statistic="growth_per_layer",
        value=factor,
        threshold=growth if is_growing else 1 / growth,
        direction="above" if is_growing else "below",
        samples=reading.samples,
        layers=worst(deviations, highest=is_growing),
        patches=("fitting_initializer", "batch_norm", "relu"),
        is_certain=True,
    )


@diagnostics.register(
    source="Karpathy, CS231n notes, «Sanity checks» (the loss at chance)",
    when=["start"],
    reasons=[17, 28],
    causes=["input_scale", "saturated_activation", "poor_weight_initialization"],
    demo=on_digits(architecture=mlp(3), initializer={"name": "normal", "scale": 0.5}),
    twin=on_digits(architecture=mlp(3)),
)
def initial_loss(
    view: View, /, *, warning: AtLeast1 = 5.0, error: AtLeast1 = 10.0, regression: AtLeast1 = 10.0
) -> Symptom | None:
    """The loss before the first step is far above the loss of guessing.

    A network that knows nothing should answer with about equal scores, which costs ln M for M
    classes. Random scores with the variance s² cost about ln M + s²/2: the outputs are too large,
    and the first steps only undo that. The outputs of a regression begin with a deviation of about
    1 whatever the deviation of the targets is, so that only far larger losses count there.

    Args:
        view: the training.
        warning: the loss over the loss of equal scores above which it is a warning.
        error: the same for an error.
        regression: the factor on both limits for a regression.
    """
    reading = view.first_reading
    if reading is None or not _is_new(view) or view.equal_scores_loss <= 0:
        return None
    factor = 1.0 if view.is_classification else regression
    warning, error = factor * warning, factor * error
    ratio = reading.loss / view.equal_scores_loss
    if ratio <= warning:
        return None
    is_error = not ratio <= error
    sentence = f"the loss before the first step is {number(reading.loss)}, and "
    if view.is_classification:
        deviation = math.sqrt(max(0.0, reading.output_variance))
        sentence += f"guessing costs {number(view.equal_scores_loss)}: the outputs have a "
        sentence += f"deviation of {number(deviation)}"
    else:
        sentence += f"a constant answer costs {number(view.equal_scores_loss)}: the outputs are "
        sentence += "far larger than the targets, or the targets far from 0"
    return Symptom(
        severity="error" if is_error else "warning",
        sentence=sentence,
        statistic="initial_loss_ratio",
        value=ratio,
        threshold=error if is_error else warning,
        direction="above",
        samples=reading.samples,
        details={"loss": reading.loss, "output_variance": reading.output_variance},
        patches=("standardize", "fitting_initializer", "small_head"),
        is_certain=True,
    )


@diagnostics.register(
    source="Amazon SageMaker Debugger, rule NotEnoughInputInfluence, as a forward pass",
    when=["step", "epoch"],
    reasons=[2, 4],
    causes=[
        "symmetric_initialization",
        "poor_weight_initialization",
        "vanishing_gradient",
        "saturated_activation",
        "dead_relu",
        "learning_rate_too_high",
        "regularization_overwhelms",
    ],
    demo=on_digits(architecture=mlp(10, 64), initializer={"name": "normal", "scale": 0.05}),
    twin=on_digits(architecture=mlp(10, 64)),
)
def input_not_connected(view: View, /, *, spread: Positive = 1e-4) -> Symptom | None:
    """The outputs are the same whatever the input is.

    Somewhere on the way the signal is lost: units are dead, saturated, or so small that only the
    biases are left. A loss that equals the loss at chance in many digits is the typical sign.

    Args:
        view: the training.
        spread: the deviation of the outputs over samples, relative to their deviation over classes.
    """
    reading = view.fresh_reading
    # Zeros in the last layer make all outputs equal at first, by design.
    if reading.step < 1 or not math.isfinite(reading.loss) or reading.samples < 2:
        return None
    if reading.output_spread >= spread:
        return None
    return Symptom(
        severity="error",
        sentence="the outputs do not depend on the input: from sample to sample they vary "
        f"{number(reading.output_spread)} times as much as from class to class",
        statistic="output_spread",
        value=reading.output_spread,
        threshold=spread,
        direction="below",
        samples=reading.samples,
        series=tuple((r.step, r.output_spread) for r in view.readings),
        patches=("fitting_initializer", "batch_norm", "learning_rate"),
    )
