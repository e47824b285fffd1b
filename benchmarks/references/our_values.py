"""Trainshed's numbers for the inputs of `inputs.py`, in float64."""

from functools import partial
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.references import inputs
from benchmarks.references.inputs import LEARNING_RATE, STEPS, Values
from worker.architectures.layers import ACTIVATIONS, batch_norm_1d
from worker.initializers.draw import Draw
from worker.registry import architectures, initializers, losses, optimizers, regularizers, schedules
from worker.training.class_weights import weighted
from worker.training.clipping import Clipping, clip
from worker.training.selection import Best, EarlyStopping, Patience, Plateau, PlateauRecord
from worker.training.tensor_norms import euclidean_norms
from worker.training.topk import count_right, is_right, rank

#: The smallest ε that changes no number here: Keras adds its own elsewhere.
TINY = 1e-30
KINDS = ("normal", "uniform")


def optimizer_values() -> Values:
    """Return the weight after 20 updates of each optimizer."""
    updated = {
        "sgd": _updated("sgd", momentum=0.0),
        "sgd, momentum": _updated("sgd", momentum=0.9),
        "sgd, nesterov": _updated("sgd", momentum=0.9, nesterov=True),
        "adagrad": _updated("adagrad", epsilon=TINY),
        "rmsprop": _updated("rmsprop", rho=0.9, epsilon=TINY),
        "adam": _updated("adam", epsilon=TINY),
        "adamw": _updated("adamw", epsilon=TINY, weight_decay=0.1),
        "clipping by value": _updated("sgd", Clipping("value", 0.5), momentum=0.0),
        "clipping by norm": _updated("sgd", Clipping("norm", 0.5), momentum=0.0),
        "clipping by global norm": _updated("sgd", Clipping("global_norm", 0.5), momentum=0.0),
        # As documented: Keras's ε̂ of 1e-3 is this ε at the first update
        "adam, ε of the first update": _updated("adam", steps=1, epsilon=1e-3 / sqrt(1 - 0.999)),
        "momentum under a falling rate": _velocity_with_rate(),
    }
    return {f"optimizer: {name}": values for name, values in updated.items()}


def _updated(
    name: str, clipping: Clipping | None = None, *, steps: int = STEPS, **parameters: Any
) -> list[float]:
    weight = nn.Parameter(torch.from_numpy(inputs.weight()))
    optimizer = optimizers.get(name).function([weight], LEARNING_RATE, **parameters)
    for _ in range(steps):
        weight.grad = torch.from_numpy(inputs.gradient(weight.detach().numpy()))
        if clipping is not None:
            clip([weight.grad], euclidean_norms([weight.grad]), clipping)
        optimizer.step()
    return weight.detach().flatten().tolist()


def _velocity_with_rate() -> list[float]:
    """Return Keras's rule as documented: v ← μv − lr·g, W ← W + v."""
    weight, velocity = inputs.weight(), 0.0
    for step in range(STEPS):
        rate = LEARNING_RATE / (1 + 0.1 * step)
        velocity = 0.9 * velocity - rate * inputs.gradient(weight)
        weight = weight + velocity
    return weight.ravel().tolist()


def schedule_values() -> Values:
    """Return the learning rates of 50 updates."""
    made = {
        "inverse_time": schedules.get("inverse_time").function(decay=0.1),
        "exponential": schedules.get("exponential").function(decay=0.1),
        "step": schedules.get("step").function(every=7, factor=0.5),
        "cosine": schedules.get("cosine").function(final=0.1),
    }
    return {
        f"schedule: {name}": [LEARNING_RATE * schedule.factor(step, 50) for step in range(50)]
        for name, schedule in made.items()
    }


def callback_values() -> Values:
    """Return the rates after each epoch, and where training stops and with which epoch's weights."""
    values: Values = {}
    best = Best("val_loss", "min")
    for patience, cooldown, min_delta, final in inputs.PLATEAUS:
        rule, rates = Plateau(best, 0.5, patience, min_delta, cooldown, final), []
        for seed in range(inputs.SERIES):
            record = PlateauRecord()
            for value in inputs.metric_series(seed):
                record = rule.update(record, value)
                rates.append(LEARNING_RATE * record.factor)
        name = f"patience {patience}, cooldown {cooldown}, min_delta {min_delta}, final {final}"
        values[f"reduce_on_plateau: {name}"] = rates
    for patience, min_delta in inputs.STOPPINGS:
        rule, ends = EarlyStopping(best, patience, min_delta), []
        for seed in range(inputs.SERIES):
            record, epoch = Patience(), -1
            for value in inputs.metric_series(seed):
                record, epoch = rule.update(record, value), epoch + 1
                if record.is_exhausted:
                    break
            ends += [float(epoch), float(epoch - record.bad_epochs)]
        values[f"early_stopping: patience {patience}, min_delta {min_delta}"] = ends
    return values


def loss_values() -> Values:
    """Return losses, penalties and metrics of the fixed scores."""
    scores, labels = torch.from_numpy(inputs.scores()), torch.from_numpy(inputs.labels())
    numbers, guesses = torch.from_numpy(inputs.smooth_targets())[:, None], scores[:, :1]
    onehot = nn.functional.one_hot(labels, inputs.CLASSES).double()
    cross_entropy = losses.get("cross_entropy").function
    class_weights = 1.0 + torch.arange(inputs.CLASSES).double()
    two_scores = torch.cat([torch.zeros_like(guesses), guesses], dim=1)
    # As documented: the mean by weights; Keras divides by the number of samples
    of_weights = (
        weighted(cross_entropy, class_weights)(scores, labels) * class_weights[labels].mean()
    )
    right_k = count_right(rank(scores, labels), (3, 5)) / len(labels)
    weight = [torch.from_numpy(inputs.weight())]
    smoothed = 0.9 * onehot + 0.1 / inputs.CLASSES
    values = {
        "loss: cross_entropy": cross_entropy(scores, labels),
        "loss: label smoothing": cross_entropy(scores, smoothed),
        "loss: logistic": losses.get("logistic").function(two_scores, labels % 2),
        "loss: l2": losses.get("l2").function(guesses, numbers[:, 0]),
        "loss: l1": losses.get("l1").function(guesses, numbers[:, 0]),
        "loss: class weights": of_weights,
        "penalty: l2": _penalty("l2", weight),
        "penalty: l1": _penalty("l1", weight),
        "metric: accuracy": is_right(scores, labels).double().mean(),
        "metric: top-3 accuracy": right_k[0],
        "metric: top-5 accuracy": right_k[1],
    }
    return {name: [float(value)] for name, value in values.items()}


def _penalty(name: str, weight: list[Tensor]) -> Tensor:
    penalty = regularizers.get(name).function(weight=0.01).penalty
    return penalty.value(weight)


def activation_values() -> Values:
    """Return each activation of the fixed scores."""
    scores = torch.from_numpy(inputs.scores())
    return {
        f"activation: {name}": layer()(scores).flatten().tolist()
        for name, layer in ACTIVATIONS.items()
    }


def initializer_values() -> Values:
    """Return the standard deviation of 4 million draws of each initializer."""
    area, fan_in, fan_out = 9, 512, 1024
    values: Values = {}
    for name in (f"{family}_{kind}" for family in ("xavier", "he", "lecun") for kind in KINDS):
        weight = torch.empty(fan_out, fan_in, 3, 3, dtype=torch.float64)
        draw = Draw(area * fan_in, area * fan_out, None, torch.Generator().manual_seed(1))
        initializers.get(name).function(weight, draw)
        values[f"initializer: {name}"] = [weight.std(correction=0).item()]
    return values


def batch_norm_values() -> Values:
    """Return outputs and statistics after three batches with a momentum of 0.9."""
    layer = batch_norm_1d(inputs.CLASSES, 0.9).double()
    scores = torch.from_numpy(inputs.scores())
    outputs = [layer(scores + batch) for batch in range(3)]
    assert layer.running_mean is not None
    assert layer.running_var is not None
    # As documented: ours takes the unbiased variance of a batch, N/(N−1) times Keras's
    started = 0.9**3
    ratio = inputs.SAMPLES / (inputs.SAMPLES - 1)
    return {
        "batch norm: outputs": outputs[-1].flatten().tolist(),
        "batch norm: running mean": layer.running_mean.tolist(),
        "batch norm: running variance": ((layer.running_var - started) / ratio + started).tolist(),
    }


def training_values() -> Values:
    """Return the losses of 20 steps of `vgg_small` without dropout, sgd with momentum 0.9."""
    build = partial(architectures.get("vgg_small").function, (3, 32, 32), inputs.CLASSES)
    model: nn.Module = build(dropout=0.0, head_dropout=0.0).double()
    with torch.no_grad():
        for name, weight in inputs.vgg_weights().items():
            layer = model.get_submodule(name)
            assert isinstance(layer, nn.Conv2d | nn.Linear)
            assert layer.bias is not None
            layer.weight.copy_(torch.from_numpy(weight))
            layer.bias.zero_()
    images, labels = map(torch.from_numpy, inputs.images())
    optimizer = optimizers.get("sgd").function(model.parameters(), LEARNING_RATE, momentum=0.9)
    found: list[float] = []
    for _ in range(STEPS):
        loss = losses.get("cross_entropy").function(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return {"training: vgg_small, 20 steps": found}


def our_values() -> Values:
    """Return all values."""
    values: Values = {}
    parts = (optimizer_values, schedule_values, callback_values, loss_values, activation_values)
    for part in (*parts, initializer_values, batch_norm_values, training_values):
        values |= part()
    return values
