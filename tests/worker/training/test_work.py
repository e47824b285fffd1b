"""The work of operations: counted on the meta device as on any other."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from worker.training.work import Work, WorkCounter

#: Bytes of a float32 tensor of each size.
X, W, Y = 4 * 2 * 4 * 8 * 8, 4 * 6 * 4 * 9, 4 * 2 * 6 * 8 * 8


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_convolution_multiplies_each_weight_with_each_position(device: str) -> None:
    images_NCHW = torch.zeros(2, 4, 8, 8, device=device)
    weights = torch.zeros(6, 4, 3, 3, device=device)
    with WorkCounter() as counter:
        functional.conv2d(images_NCHW, weights, padding=1)
    assert counter.work == Work(1, X + W + Y, 2 * (6 * 4 * 9) * (2 * 8 * 8))


def test_a_backward_pass_takes_twice_the_products_also_with_groups() -> None:
    layer = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False, device="meta")
    images_NCHW = torch.zeros(2, 8, 4, 4, device="meta", requires_grad=True)
    with WorkCounter() as counter:
        outputs_NCHW = layer(images_NCHW)
        forward = counter.work.flops
        outputs_NCHW.sum().backward()
    assert forward == 2 * (8 * 9) * (2 * 4 * 4)
    assert counter.work.flops == 3 * forward


def test_views_are_no_work() -> None:
    with WorkCounter() as counter:
        torch.zeros(4, 4, device="meta").view(16).unsqueeze(0)
    assert counter.work.operations == 1
    assert counter.work.flops == 0


def test_a_product_of_matrices_counts() -> None:
    with WorkCounter() as counter:
        torch.zeros(3, 5, device="meta") @ torch.zeros(5, 7, device="meta")
    assert counter.work.flops == 2 * 3 * 5 * 7
