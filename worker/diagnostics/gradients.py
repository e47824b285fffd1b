"""Rules on gradients: not finite, vanishing, exploding."""

from typing import Annotated

from pydantic import Field

from worker.diagnostics.demos import mlp, on_digits
from worker.diagnostics.symptom import Symptom, number, worst
from worker.diagnostics.view import View
from worker.registry import diagnostics

Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]


@diagnostics.register(
    source="Amazon SageMaker Debugger, rule ExplodingTensor",
    when=["failure"],
    reasons=[37],
    causes=[
        "input_scale",
        "poor_weight_initialization",
        "saturated_activation",
        "initial_loss",
        "learning_rate_too_high",
        "exploding_gradient",
    ],
    demo=on_digits(
        architecture=mlp(5, 64), optimizer={"name": "sgd", "learning_rate": 3.0, "momentum": 0.9}
    ),
    twin=on_digits(architecture=mlp(5, 64)),
)
def exploding_tensor(view: View, /) -> Symptom | None:
    """A loss or gradient is not finite.

    Each step made the loss larger until a number no longer fitted into the floating-point format.
    From then on every weight is NaN, and nothing can be learned. Almost always the steps are too
    large for the curvature: a smaller learning rate, a warm-up, or inputs and weights on another
    scale help.
    """
    found = view.divergence
    if found is None:
        return None
    name = found.layer or found.tensor
    where = f", first in {name}" if name else ""
    before = ""
    if found.last_loss is not None:
        before = f"; the loss before it was {number(found.last_loss)}"
    return Symptom(
        severity="error",
        sentence=f"{found.what} was not finite at step {found.step}{where}{before}",
        statistic="last_finite_loss",
        value=found.last_loss if found.last_loss is not None else float("inf"),
        threshold=float("inf"),
        direction="above",
        series=tuple((step.step, step.data_loss) for step in view.steps[-20:]),
        details={
            "step": found.step,
            "tensor": found.tensor,
            "layer": found.layer,
            "last_gradient_norm": found.last_norm,
            "learning_rate": found.learning_rate,
        },
        patches=("learning_rate", "bfloat16", "warm_up", "clipping"),
        is_certain=True,
    )


@diagnostics.register(
    source="Glorot & Bengio 2010, section 4.2; thresholds of AutoTrainer (Zhang et al. 2021), "
    "β1 and β2, and of Amazon SageMaker Debugger, rule VanishingGradient",
    when=["start", "step", "epoch"],
    reasons=[35],
    causes=[
        "symmetric_initialization",
        "poor_weight_initialization",
        "dead_relu",
        "saturated_activation",
        "input_scale",
        "learning_rate_too_high",
        "regularization_overwhelms",
    ],
    demo=on_digits(
        architecture=mlp(10, 64, activation="sigmoid"),
        initializer={"name": "normal", "scale": 0.05},
    ),
    twin=on_digits(architecture=mlp(10, 64, activation="relu")),
)
def vanishing_gradient(
    view: View,
    /,
    *,
    ratio: Fraction = 1e-3,
    norm: Positive = 1e-4,
    mean: Positive = 1e-7,
    loss: Fraction = 0.5,
) -> Symptom | None:
    """The gradient of the first layers is far too small to change them.

    Backpropagation multiplies the gradient by the weights and by the derivative of the activation
    function in each layer. A sigmoid's derivative is at most 1/4, so with small weights every layer
    divides the gradient, and the first layers stay as they began. relu with an initializer that
    keeps the scale, or batch norm, keeps the product near 1.

    Args:
        view: the training.
        ratio: the gradient's norm in the first layer over the last layer's, below which it vanishes
            together with `norm`.
        norm: the norm in the first layer.
        mean: the mean magnitude of a gradient in some layer, below which it vanishes on its own.
        loss: the rule applies while the loss is above this fraction of the loss at chance: the
            gradients of a network that has learned are small too.
    """
    reading = view.fresh_reading
    if not view.loss_is_above(loss):
        return None
    layers = [layer for layer in reading.weight_layers if layer.gradient_norm is not None]
    if len(layers) < 2:
        return None
    norms = [(layer.name, layer.gradient_norm or 0.0) for layer in layers]
    first, last = max(value for _, value in norms[: min(3, len(norms) - 1)]), norms[-1][1]
    smallest = min(layers, key=lambda layer: layer.gradient_mean or 0.0)
    is_decaying = first < ratio * last and first < norm
    if not is_decaying and (smallest.gradient_mean or 0.0) >= mean:
        return None
    if is_decaying and first > 0:
        value, threshold, statistic = first / last, ratio, "gradient_ratio_first_to_last"
        times = number(last / first)
        sentence = f"the first layers' gradient is {times} times smaller than the last layer's"
    else:
        value, threshold, statistic = smallest.gradient_mean or 0.0, mean, "gradient_mean"
        size = "is 0" if value == 0 else f"has a mean magnitude of {number(value)}"
        sentence = f"the gradient of {smallest.name} {size}, too small to change it"
    return Symptom(
        severity="error",
        sentence=sentence,
        statistic=statistic,
        value=value,
        threshold=threshold,
        direction="below",
        samples=reading.samples,
        layers=worst(norms, highest=False),
        series=_gradient_series(view, is_ratio=statistic != "gradient_mean"),
        patches=("relu", "batch_norm", "fitting_initializer"),
    )


@diagnostics.register(
    source="Pascanu, Mikolov & Bengio 2012, arXiv:1211.5063; threshold of AutoTrainer, β3",
    when=["start", "step", "epoch"],
    reasons=[35],
    causes=[
        "input_scale",
        "saturated_activation",
        "poor_weight_initialization",
        "initial_loss",
        "learning_rate_too_high",
    ],
    demo=on_digits(
        architecture=mlp(10, 64, activation="tanh"), initializer={"name": "normal", "scale": 1.0}
    ),
    twin=on_digits(architecture=mlp(10, 64, activation="tanh"), initializer="xavier_uniform"),
)
def exploding_gradient(
    view: View,
    /,
    *,
    ratio: Annotated[float, Field(ge=1)] = 70.0,
    norm: Positive = 10.0,
    growth: Annotated[float, Field(ge=1)] = 1e3,
) -> Symptom | None:
    """The gradient grows from layer to layer, or from epoch to epoch.

    With weights that are too large, backpropagation multiplies the gradient by more than 1 in each
    layer. The first layers then make steps that no learning rate suits: it is too large for them
    or too small for the last layers.

    Args:
        view: the training.
        ratio: the gradient's norm in the first layer over the last layer's, above which it explodes
            together with `norm`.
        norm: the norm in the first layer.
        growth: the gradient's median norm in an epoch over that of the first epoch.
    """
    if view.moment == "epoch" and len(view.epochs) > 1 and view.epochs[0].gradient_norm > 0:
        grown = view.epochs[-1].gradient_norm / view.epochs[0].gradient_norm
        if grown > growth:
            return Symptom(
                severity="error",
                sentence=f"the gradient's norm has grown {number(grown)} times since epoch 1",
                statistic="gradient_norm_growth",
                value=grown,
                threshold=growth,
                direction="above",
                series=tuple((e.step, e.gradient_norm) for e in view.epochs),
                patches=("learning_rate", "clipping"),
            )
    reading = view.fresh_reading
    if not view.loss_is_above(0.5):
        return None
    norms = [
        (layer.name, layer.gradient_norm)
        for layer in reading.weight_layers
        if layer.gradient_norm is not None
    ]
    if len(norms) < 2 or norms[-1][1] <= 0:
        return None
    (first_name, first), (_, last) = norms[0], norms[-1]
    if first <= ratio * last or first <= norm:
        return None
    return Symptom(
        severity="warning",
        sentence=f"the gradient of {first_name} is {number(first / last)} times the last layer's",
        statistic="gradient_ratio_first_to_last",
        value=first / last,
        threshold=ratio,
        direction="above",
        samples=reading.samples,
        layers=worst(norms),
        series=_gradient_series(view, is_ratio=True),
        patches=("fitting_initializer", "learning_rate", "clipping"),
    )


def _gradient_series(view: View, *, is_ratio: bool) -> tuple[tuple[int, float], ...]:
    """Return for each reading the first layer's gradient over the last's, or the smallest mean."""
    series: list[tuple[int, float]] = []
    for reading in view.readings:
        layers = [layer for layer in reading.weight_layers if layer.gradient_norm is not None]
        if not layers:
            continue
        value = min(layer.gradient_mean or 0.0 for layer in layers)
        if is_ratio:
            first, last = layers[0].gradient_norm or 0.0, layers[-1].gradient_norm or 0.0
            value = first / last if last > 0 else 0.0
        series.append((reading.step, value))
    return tuple(series)
