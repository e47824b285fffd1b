"""NASNet-A (4 @ 1056), the mobile network, from the paper."""

from collections import OrderedDict
from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn import functional

from worker.architectures.layers import ImageShape
from worker.architectures.zoo.nasnet_cells import NormalCell, ReductionCell
from worker.architectures.zoo.nasnet_layers import norm
from worker.architectures.zoo.network import Network, linear_head

PENULTIMATE_FILTERS = 1056
NORMAL_CELLS = 4
STEM_FILTERS = 32
#: The last normal cells concatenate six maps of F filters; F of the first cells is a quarter.
FIRST_FILTERS = PENULTIMATE_FILTERS // 6 // 4


class Body(nn.Module):
    """A stem, two reduction cells, and three groups of four normal cells with reductions between.

    From images [N, C, H, W] to pooled features [N, 1056]. Each cell receives the outputs of the
    previous two cells.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            OrderedDict(
                conv=nn.Conv2d(channels, STEM_FILTERS, 3, stride=2, bias=False),
                norm=norm(STEM_FILTERS),
            )
        )
        self.cells = nn.ModuleList(_cells())

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Return the features of images."""
        x = p = self.stem(images_NCHW)
        for cell in self.cells:
            x, p = cell(x, p), x
        return functional.adaptive_avg_pool2d(functional.relu(x), 1).flatten(1)


def _cells() -> Iterator[nn.Module]:
    """Yield the cells in order; after a reduction, p is twice as large as x."""
    previous: int | None = None
    channels, is_reduced = STEM_FILTERS, False
    for kind, filters in _plan():
        if kind is ReductionCell:
            cell = ReductionCell(channels, previous, filters, halve=is_reduced)
        else:
            cell = NormalCell(channels, previous or channels, filters, halve=is_reduced)
        yield cell
        previous, channels, is_reduced = channels, cell.out_channels, kind is ReductionCell


def _plan() -> Iterator[tuple[type[nn.Module], int]]:
    """Yield kind and width F of each cell; a reduction doubles the width."""
    yield ReductionCell, FIRST_FILTERS // 4
    yield ReductionCell, FIRST_FILTERS // 2
    for factor in (1, 2, 4):
        if factor > 1:
            yield ReductionCell, FIRST_FILTERS * factor
        for _ in range(NORMAL_CELLS):
            yield NormalCell, FIRST_FILTERS * factor


def nasnet_mobile(image_shape: ImageShape, classes: int, dropout: float) -> nn.Module:
    """Build the network: from images [N, C, H, W] to logits [N, M]."""
    return Network(Body(image_shape[0]), linear_head(PENULTIMATE_FILTERS, classes, dropout))
