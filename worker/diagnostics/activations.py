"""Rules on activations: dead, saturated, badly scaled."""

from typing import Annotated

from pydantic import Field

from worker.diagnostics.demos import mlp, on_digits
from worker.diagnostics.symptom import Symptom, number, percent, worst
from worker.diagnostics.view import View
from worker.registry import diagnostics

Share = Annotated[float, Field(ge=0, le=1)]
#: A healthy unit is 0 for about half of the samples, so often for all of a few.
MIN_SAMPLES = 8


@diagnostics.register(
    source="Amazon SageMaker Debugger, rule DeadRelu, by units instead of elements; Lu et al. "
    "2019, arXiv:1903.06733",
    when=["start", "step", "epoch"],
    reasons=[33],
    causes=[
        "symmetric_initialization",
        "input_scale",
        "poor_weight_initialization",
        "learning_rate_too_high",
        "regularization_overwhelms",
        "too_much_regularization",
        "bottleneck",
    ],
    demo=on_digits(optimizer={"name": "sgd", "learning_rate": 5.0, "momentum": 0.9}),
    twin=on_digits(),
)
def dead_relu(view: View, /, *, share: Share = 0.5, some: Share = 0.4) -> Symptom | None:
    """Many units of relu are 0 for every sample and no longer learn.

    A unit whose input is negative for all samples outputs 0 and has the gradient 0, so that it
    cannot come back. A single large step is enough. Counted are units that no sample of the probe
    activates, not zeros among the outputs, of which every healthy network has many. Of a network
    with pretrained weights only units count that have died since the stage began.

    Args:
        view: the training.
        share: the share of dead units in a layer that makes an error.
        some: the share in two readings in a row that makes a warning.
    """
    reading = view.fresh_reading
    is_trained = bool((view.spec.get("fine_tuning") or {}).get("weights"))
    first = {a.name: a.dead_share or 0.0 for a in view.readings[0].activations if is_trained}
    shares = [
        (layer.name, layer.dead_share - first.get(layer.name, 0.0))
        for layer in reading.activations
        if layer.dead_share is not None
    ]
    if not shares or reading.samples < MIN_SAMPLES:
        return None
    name, value = max(shares, key=lambda layer: layer[1])
    if value <= some:
        return None
    is_error = value > share
    return Symptom(
        severity="error" if is_error else "warning",
        sentence=f"{percent(value)} of the units of {name} are 0 for every sample",
        statistic="dead_unit_share",
        value=value,
        threshold=share if is_error else some,
        direction="above",
        samples=reading.samples,
        layers=worst(shares),
        series=tuple(
            (r.step, max((a.dead_share or 0.0 for a in r.activations), default=0.0))
            for r in view.readings
        ),
        patches=("lower_learning_rate", "standardize", "leaky_relu", "adam"),
        is_certain=is_error,
    )


@diagnostics.register(
    source="Glorot & Bengio 2010, section 3; DeepDiagnosis (Wardat et al. 2022)",
    when=["start", "step", "epoch"],
    reasons=[33, 35],
    causes=["input_scale", "learning_rate_too_high"],
    demo=on_digits(
        architecture=mlp(10, 64, activation="tanh"), initializer={"name": "normal", "scale": 1.0}
    ),
    twin=on_digits(architecture=mlp(10, 64, activation="tanh"), initializer="xavier_uniform"),
)
def saturated_activation(view: View, /, *, share: Share = 0.5, loss: Share = 0.5) -> Symptom | None:
    """Most outputs of a sigmoid or tanh lie in its flat parts, where the gradient is almost 0.

    The inputs of the function are too large: because of large weights, of inputs on a large scale
    or of large steps. An initializer that keeps the scale, standardized inputs or batch norm bring
    them back to where the function is steep.

    Args:
        view: the training.
        share: the share of outputs below 0.05 or above 0.95 of a sigmoid, or beyond ±0.95 of a
            tanh.
        loss: the rule applies while the loss is above this fraction of the loss at chance: the last
            hidden layer of a network that has learned is saturated too.
    """
    reading = view.fresh_reading
    if not view.loss_is_above(loss):
        return None
    shares = [
        (layer.name, layer.saturated_share)
        for layer in reading.activations
        if layer.saturated_share is not None
    ]
    if not shares or max(value for _, value in shares) <= share:
        return None
    name, value = max(shares, key=lambda layer: layer[1])
    # A sigmoid network learns slowly with any initializer, since its outputs have mean 0.5.
    has_sigmoid = any(layer.function == "sigmoid" for layer in reading.activations)
    cures = ("relu", "xavier_uniform") if has_sigmoid else ("xavier_uniform",)
    return Symptom(
        severity="error",
        sentence=f"{percent(value)} of the outputs of {name} are saturated",
        statistic="saturated_share",
        value=value,
        threshold=share,
        direction="above",
        samples=reading.samples,
        layers=worst(shares),
        series=tuple(
            (r.step, max((a.saturated_share or 0.0 for a in r.activations), default=0.0))
            for r in view.readings
        ),
        patches=("standardize", *cures, "batch_norm", "relu"),
        is_certain=view.moment == "start",
    )


@diagnostics.register(
    source="Glorot & Bengio 2010, section 4; Amazon SageMaker Debugger, rule TensorVariance",
    when=["epoch"],
    reasons=[33, 35],
    causes=[
        "input_scale",
        "poor_weight_initialization",
        "learning_rate_too_high",
        "regularization_overwhelms",
        "symmetric_initialization",
        "vanishing_gradient",
        "dead_relu",
        "saturated_activation",
    ],
    demo=on_digits(
        architecture=mlp(2, 128, activation="tanh"), initializer={"name": "normal", "scale": 4.0}
    ),
    twin=on_digits(architecture=mlp(2, 128, activation="tanh"), initializer="xavier_uniform"),
)
def activation_scale(
    view: View,
    /,
    *,
    smallest: Annotated[float, Field(gt=0)] = 0.01,
    largest: Annotated[float, Field(gt=0)] = 30.0,
) -> Symptom | None:
    """The inputs of an activation function have a deviation far from 1.

    Around 0 the functions are steep and bend; with very large inputs they saturate or are cut off,
    with very small inputs they are straight lines, and the layer adds nothing.

    Args:
        view: the training.
        smallest: the deviation of pre-activations below which they are too small.
        largest: the deviation above which they are too large.
    """
    reading = view.fresh_reading
    # The outputs of the last layer are no pre-activations, and batch norm rescales the others.
    hidden = [layer for layer in reading.weight_layers[:-1] if not layer.is_normalized]
    deviations = [(layer.name, layer.deviation) for layer in hidden]
    if not deviations:
        return None
    low = min(deviations, key=lambda layer: layer[1])
    high = max(deviations, key=lambda layer: layer[1])
    is_large = high[1] > largest
    if not is_large and low[1] >= smallest:
        return None
    name, value = high if is_large else low
    return Symptom(
        severity="warning",
        sentence=f"the outputs of {name} have a deviation of {number(value)}, far from 1",
        statistic="pre_activation_deviation",
        value=value,
        threshold=largest if is_large else smallest,
        direction="above" if is_large else "below",
        samples=reading.samples,
        layers=worst(deviations, highest=is_large),
        series=tuple(
            (r.step, layer.deviation)
            for r in view.readings
            for layer in r.weight_layers
            if layer.name == name
        ),
        patches=("fitting_initializer", "batch_norm"),
    )
