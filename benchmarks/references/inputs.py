"""The inputs that both sides compute with, drawn from fixed seeds. Needs numpy only."""

from typing import Any

import numpy as np

SAMPLES, CLASSES, STEPS, LEARNING_RATE = 64, 10, 20, 0.01
Values = dict[str, list[float]]


def scores() -> np.ndarray:
    """Return logits [64, 10]."""
    return np.random.RandomState(1).normal(size=(SAMPLES, CLASSES)) * 3


def labels() -> np.ndarray:
    """Return classes [64]."""
    return np.random.RandomState(2).randint(CLASSES, size=SAMPLES)


def smooth_targets() -> np.ndarray:
    """Return numbers [64], targets of a regression."""
    return np.random.RandomState(3).normal(size=SAMPLES)


def weight() -> np.ndarray:
    """Return the weight [5, 4] that optimizers start from."""
    return np.random.RandomState(4).normal(size=(5, 4))


def gradient(weight: Any) -> Any:
    """Return the gradient of a fixed quadratic function at a weight."""
    curvature = np.linspace(0.1, 3, 20).reshape(5, 4)
    return curvature * weight + np.linspace(-1, 1, 20).reshape(5, 4)


def metric_series(seed: int) -> list[float]:
    """Return the values of a metric after 30 epochs: a fall, noise and a plateau."""
    random = np.random.RandomState(100 + seed)
    return [float(2 * 0.8**epoch + 0.3 * random.normal()) for epoch in range(30)]


#: Patience, cooldown, least improvement, and the smallest learning rate as a fraction.
PLATEAUS = [
    (1, 0, 0.0, 0.0),
    (2, 1, 0.0, 0.0),
    (2, 3, 0.05, 0.0),
    (3, 2, 0.0, 0.02),
    (1, 4, 0.1, 0),
]
#: Patience and least improvement.
STOPPINGS = [(1, 0.0), (2, 0.0), (3, 0.05), (5, 0.1)]
SERIES = 40


def images() -> tuple[np.ndarray, np.ndarray]:
    """Return 32 images [32, 3, 32, 32] and their classes."""
    random = np.random.RandomState(5)
    return random.normal(size=(32, 3, 32, 32)), random.randint(CLASSES, size=32)


def vgg_weights() -> dict[str, np.ndarray]:
    """Return weights of `vgg_small` in PyTorch's shapes, in the order of the network."""
    random = np.random.RandomState(6)
    shapes = {
        "block1.conv1": (32, 3, 3, 3),
        "block1.conv2": (32, 32, 3, 3),
        "block2.conv1": (64, 32, 3, 3),
        "block2.conv2": (64, 64, 3, 3),
        "head.hidden1": (512, 4096),
        "head.output": (CLASSES, 512),
    }
    return {
        name: random.normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))
        for name, shape in shapes.items()
    }
