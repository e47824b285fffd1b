"""The work of a step, against numbers that can be counted by hand."""

import torch
from torch import nn

from benchmarks.gpu.work import work_per_image


def test_operations_are_those_of_the_matrix_products() -> None:
    with torch.device("meta"):
        network = nn.Sequential(nn.Flatten(), nn.Linear(12, 5))
    operations, _ = work_per_image(network, (3, 2, 2), torch.float32, batch_size=4)
    forward = 2 * 12 * 5
    assert operations == forward + forward, "the input needs no gradient"


def test_traffic_falls_with_the_width_of_the_numbers() -> None:
    with torch.device("meta"):
        network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 36, 10))
    _, full = work_per_image(network, (3, 8, 8), torch.float32, batch_size=4)
    _, half = work_per_image(network, (3, 8, 8), torch.bfloat16, batch_size=4)
    assert 0.45 < half / full < 0.6
