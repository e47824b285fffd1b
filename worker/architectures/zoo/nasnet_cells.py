"""The two cells of NASNet-A, which the search found (figure 4 of the paper).

A cell takes the outputs of the two cells before it, x the last and p the one before, squeezes
both to its width F, and joins five sums. Axes: N samples, C channels, H height, W width.
"""

import torch
from torch import Tensor, nn

from worker.architectures.zoo.nasnet_parts import (
    FactorizedReduction,
    average_pool,
    max_pool,
    separable,
    squeeze,
)


def adjustment(channels: int, filters: int, *, halve: bool) -> nn.Module:
    """What brings p to the shape that the cell works in."""
    if halve:
        return FactorizedReduction(channels, filters)
    return squeeze(channels, filters)


class NormalCell(nn.Module):
    """Keeps height and width: x [N, C, H, W] to [N, 6F, H, W].

    Args:
        channels: of x.
        previous: channels of p.
        filters: F.
        halve: whether p is twice as high and wide as x.
    """

    def __init__(self, channels: int, previous: int, filters: int, *, halve: bool) -> None:
        super().__init__()
        self.out_channels = 6 * filters
        self.adjust = adjustment(previous, filters, halve=halve)
        self.squeeze = squeeze(channels, filters)
        self.sum1_x = separable(filters, filters, 5)
        self.sum1_p = separable(filters, filters, 3)
        self.sum2_p5 = separable(filters, filters, 5)
        self.sum2_p3 = separable(filters, filters, 3)
        self.sum5_x = separable(filters, filters, 3)
        self.average = average_pool()

    def forward(self, x_NCHW: Tensor, p_NCHW: Tensor) -> Tensor:
        """The cell's output."""
        p = self.adjust(p_NCHW)
        x = self.squeeze(x_NCHW)
        sums = [
            self.sum1_x(x) + self.sum1_p(p),
            self.sum2_p5(p) + self.sum2_p3(p),
            self.average(x) + p,
            2 * self.average(p),
            self.sum5_x(x) + x,
        ]
        return torch.cat([p, *sums], dim=1)


class ReductionCell(nn.Module):
    """Halves height and width: x [N, C, H, W] to [N, 4F, ⌈H/2⌉, ⌈W/2⌉].

    Args:
        channels: of x.
        previous: channels of p; None where no cell came before, and p is x as it is.
        filters: F.
        halve: whether p is twice as high and wide as x.
    """

    def __init__(self, channels: int, previous: int | None, filters: int, *, halve: bool) -> None:
        super().__init__()
        self.out_channels = 4 * filters
        if previous is None:
            self.adjust, width = nn.Identity(), channels
        else:
            self.adjust, width = adjustment(previous, filters, halve=halve), filters
        self.squeeze = squeeze(channels, filters)
        self.sum1_x = separable(filters, filters, 5, stride=2)
        self.sum1_p = separable(width, filters, 7, stride=2)
        self.sum2_p = separable(width, filters, 7, stride=2)
        self.sum3_p = separable(width, filters, 5, stride=2)
        self.sum5 = separable(filters, filters, 3)
        self.max = max_pool(stride=2)
        self.average = average_pool(stride=2)
        self.average_inside = average_pool()

    def forward(self, x_NCHW: Tensor, p_NCHW: Tensor) -> Tensor:
        """The cell's output."""
        p = self.adjust(p_NCHW)
        x = self.squeeze(x_NCHW)
        largest = self.max(x)
        sum1 = self.sum1_x(x) + self.sum1_p(p)
        sum2 = largest + self.sum2_p(p)
        sum3 = self.average(x) + self.sum3_p(p)
        sum4 = self.average_inside(sum1) + sum2
        sum5 = self.sum5(sum1) + largest
        return torch.cat([sum2, sum3, sum4, sum5], dim=1)
