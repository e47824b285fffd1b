"""The layers of NASNet's cells. Convolutions have no bias and follow a ReLU.

Axes: N samples, C channels, H height, W width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from worker.architectures.layers import batch_norm_2d

#: Of the running statistics; the authors' 0.9997 is for hundreds of thousands of steps.
MOMENTUM = 0.9


def norm(channels: int) -> nn.BatchNorm2d:
    """Return batch norm with epsilon 1e-3."""
    return batch_norm_2d(channels, MOMENTUM)


def squeeze(channels: int, filters: int) -> nn.Sequential:
    """Build ReLU → 1x1 convolution → batch norm: [N, channels, H, W] to [N, filters, H, W]."""
    return nn.Sequential(nn.ReLU(), nn.Conv2d(channels, filters, 1, bias=False), norm(filters))


def separable(channels: int, filters: int, kernel_size: int, *, stride: int = 1) -> nn.Sequential:
    """Build [ReLU → depthwise → pointwise → batch norm] x2; only the first has the stride.

    [N, channels, H, W] to [N, filters, ⌈H/stride⌉, ⌈W/stride⌉].
    """
    layers: list[nn.Module] = []
    for inputs, step in ((channels, stride), (filters, 1)):
        depthwise = nn.Conv2d(
            inputs,
            inputs,
            kernel_size,
            stride=step,
            padding=kernel_size // 2,
            groups=inputs,
            bias=False,
        )
        pointwise = nn.Conv2d(inputs, filters, 1, bias=False)
        layers += [nn.ReLU(), depthwise, pointwise, norm(filters)]
    return nn.Sequential(*layers)


def average_pool(stride: int = 1) -> nn.AvgPool2d:
    """Return an average over 3x3 pixels that leaves out pixels outside the image."""
    return nn.AvgPool2d(3, stride=stride, padding=1, count_include_pad=False)


def max_pool(stride: int) -> nn.MaxPool2d:
    """Return the maximum over 3x3 pixels."""
    return nn.MaxPool2d(3, stride=stride, padding=1)


class FactorizedReduction(nn.Module):
    """A layer that halves height and width: half the filters read even pixels, half odd pixels.

    [N, channels, H, W] to [N, filters, ⌈H/2⌉, ⌈W/2⌉].
    """

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.even = nn.Conv2d(channels, filters // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(channels, filters - filters // 2, 1, stride=2, bias=False)
        self.norm = norm(filters)

    def forward(self, maps_NCHW: Tensor) -> Tensor:
        """Return the reduced maps."""
        maps_NCHW = functional.relu(maps_NCHW)
        shifted_NCHW = functional.pad(maps_NCHW[:, :, 1:, 1:], (0, 1, 0, 1))
        both_NCHW = torch.cat([self.even(maps_NCHW), self.odd(shifted_NCHW)], dim=1)
        return self.norm(both_NCHW)
