"""The two cells of NASNet-A (fig. 4 of the paper).

A cell receives the outputs of the previous two cells, x of the last and p of the second last,
squeezes both to its width F, and concatenates five sums. Axes: N samples, C channels, H height,
W width.
"""

import torch
from torch import Tensor, nn

from worker.architectures.zoo.nasnet_layers import (
    FactorizedReduction,
    average_pool,
    max_pool,
    separable,
    squeeze,
)


def adjustment(channels: int, filters: int, *, halve: bool) -> nn.Module:
    """Return the layer that converts p to the size and width of the cell."""
    if halve:
        return FactorizedReduction(channels, filters)
    return squeeze(channels, filters)


class NormalCell(nn.Module):
    """The normal cell, which keeps height and width: x [N, C, H, W] to [N, 6F, H, W].

    Args:
        channels: channels of x.
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
        """Return the output of the cell."""
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
    """The reduction cell, which halves height and width: x to [N, 4F, ⌈H/2⌉, ⌈W/2⌉].

    Args:
        channels: channels of x.
        previous: channels of p; None for the first cell, where p is x.
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
        """Return the output of the cell."""
        p = self.adjust(p_NCHW)
        x = self.squeeze(x_NCHW)
        largest = self.max(x)
        sum1 = self.sum1_x(x) + self.sum1_p(p)
        sum2 = largest + self.sum2_p(p)
        sum3 = self.average(x) + self.sum3_p(p)
        sum4 = self.average_inside(sum1) + sum2
        sum5 = self.sum5(sum1) + largest
        return torch.cat([sum2, sum3, sum4, sum5], dim=1)
