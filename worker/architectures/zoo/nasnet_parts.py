"""What the cells of NASNet are made of. Every convolution is without bias, ReLU comes first.

Axes: N samples, C channels, H height, W width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from worker.architectures.layers import batch_norm_2d

#: Of the running statistics; the authors' .9997 is for runs of hundreds of thousands of steps.
MOMENTUM = 0.9


def norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm, epsilon 1e-3."""
    return batch_norm_2d(channels, MOMENTUM)


def squeeze(channels: int, filters: int) -> nn.Sequential:
    """ReLU → 1x1 convolution → batch norm: [N, channels, H, W] to [N, filters, H, W]."""
    return nn.Sequential(nn.ReLU(), nn.Conv2d(channels, filters, 1, bias=False), norm(filters))


def separable(channels: int, filters: int, kernel_size: int, *, stride: int = 1) -> nn.Sequential:
    """Twice ReLU → depthwise → pointwise → batch norm; only the first has the stride.

    [N, channels, H, W] to [N, filters, ⌈H/stride⌉, ⌈W/stride⌉].
    """
    layers: list[nn.Module] = []
    for entering, step in ((channels, stride), (filters, 1)):
        depthwise = nn.Conv2d(
            entering,
            entering,
            kernel_size,
            stride=step,
            padding=kernel_size // 2,
            groups=entering,
            bias=False,
        )
        pointwise = nn.Conv2d(entering, filters, 1, bias=False)
        layers += [nn.ReLU(), depthwise, pointwise, norm(filters)]
    return nn.Sequential(*layers)


def average_pool(stride: int = 1) -> nn.AvgPool2d:
    """The mean of 3x3 pixels, of those that lie within the image."""
    return nn.AvgPool2d(3, stride=stride, padding=1, count_include_pad=False)


def max_pool(stride: int) -> nn.MaxPool2d:
    """The largest of 3x3 pixels."""
    return nn.MaxPool2d(3, stride=stride, padding=1)


class FactorizedReduction(nn.Module):
    """Halves height and width: half the filters see the even pixels, half the odd ones.

    [N, channels, H, W] to [N, filters, ⌈H/2⌉, ⌈W/2⌉].
    """

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.even = nn.Conv2d(channels, filters // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(channels, filters - filters // 2, 1, stride=2, bias=False)
        self.norm = norm(filters)

    def forward(self, maps_NCHW: Tensor) -> Tensor:
        """The reduced maps."""
        maps_NCHW = functional.relu(maps_NCHW)
        shifted_NCHW = functional.pad(maps_NCHW[:, :, 1:, 1:], (0, 1, 0, 1))
        both_NCHW = torch.cat([self.even(maps_NCHW), self.odd(shifted_NCHW)], dim=1)
        return self.norm(both_NCHW)
