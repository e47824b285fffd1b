"""Initializers give the same draws as torch.nn.init."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from worker.initializers.draw import Draw, fans
from worker.registry import initializers

init = nn.init
REFERENCES: dict[str, Callable[..., Tensor]] = {
    "xavier_normal": init.xavier_normal_,
    "xavier_uniform": init.xavier_uniform_,
    "he_glorot": partial(init.xavier_normal_, gain=init.calculate_gain("relu")),
    "he_normal": partial(init.kaiming_normal_, nonlinearity="relu"),
    "he_uniform": partial(init.kaiming_uniform_, nonlinearity="relu"),
    "lecun_normal": partial(init.kaiming_normal_, nonlinearity="linear"),
    "lecun_uniform": partial(init.kaiming_uniform_, nonlinearity="linear"),
    "normal": partial(init.normal_, std=0.05),
    "uniform": partial(init.uniform_, a=-0.05, b=0.05),
    "orthogonal": init.orthogonal_,
    "zeros": lambda weight, **_: init.zeros_(weight),
}
CONVOLUTION, DENSE = (8, 4, 3, 5), (16, 10)


@pytest.mark.parametrize("shape", [CONVOLUTION, DENSE], ids=["convolution", "dense"])
@pytest.mark.parametrize("name", REFERENCES)
def test_draws_equal_the_draws_of_torch(name: str, shape: tuple[int, ...]) -> None:
    ours, theirs = torch.full(shape, torch.nan), torch.full(shape, torch.nan)
    entry = initializers.get(name)
    draw = Draw(*fans(shape), "relu", torch.Generator().manual_seed(7))
    entry.function(ours, draw, **entry.defaults)
    REFERENCES[name](theirs, generator=torch.Generator().manual_seed(7))
    assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-8)
