"""The cells of NASNet equal the cells of timm, which has them only in the large network.

With the same weights and statistics both have the same output.
"""

import importlib
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from worker.architectures.zoo.nasnet_cells import NormalCell, ReductionCell
from worker.architectures.zoo.timm_models import import_timm

#: Width of a cell, and channels of its inputs x and p.
FILTERS, X, P = 4, 8, 10
#: Names of parts here and in timm.
NORMAL = {
    "sum1_x": "comb_iter_0_left",
    "sum1_p": "comb_iter_0_right",
    "sum2_p5": "comb_iter_1_left",
    "sum2_p3": "comb_iter_1_right",
    "sum5_x": "comb_iter_4_left",
}
REDUCTION = {
    "sum1_x": "comb_iter_0_left",
    "sum1_p": "comb_iter_0_right",
    "sum2_p": "comb_iter_1_right",
    "sum3_p": "comb_iter_2_right",
    "sum5": "comb_iter_4_left",
}
SAME_SIZE = {"adjust": "conv_prev_1x1", "squeeze": "conv_1x1"}
TWICE_THE_SIZE = {
    "adjust.even": "path_1.conv",
    "adjust.odd": "path_2.conv",
    "adjust.norm": "final_path_bn",
    "squeeze": "conv_1x1",
}


class Pair(NamedTuple):
    """A cell, the name and arguments of the cell in timm, and the names of corresponding parts."""

    ours: nn.Module
    theirs: str
    arguments: tuple[int, ...]
    parts: dict[str, str]


def _pairs() -> dict[str, Pair]:
    half = FILTERS // 2
    return {
        "normal": Pair(
            NormalCell(X, P, FILTERS, halve=False),
            "NormalCell",
            (P, FILTERS, X, FILTERS),
            SAME_SIZE | NORMAL,
        ),
        "normal, p twice as large": Pair(
            NormalCell(X, P, FILTERS, halve=True),
            "FirstCell",
            (P, half, X, FILTERS),
            TWICE_THE_SIZE | NORMAL,
        ),
        "reduction": Pair(
            ReductionCell(X, P, FILTERS, halve=False),
            "ReductionCell0",
            (P, FILTERS, X, FILTERS),
            SAME_SIZE | REDUCTION,
        ),
        "reduction, p twice as large": Pair(
            ReductionCell(X, P, FILTERS, halve=True),
            "CellStem1",
            (P, FILTERS),
            TWICE_THE_SIZE | REDUCTION,
        ),
        "reduction, the first cell": Pair(
            ReductionCell(X, None, FILTERS, halve=False),
            "CellStem0",
            (X, FILTERS),
            {"squeeze": "conv_1x1"} | REDUCTION,
        ),
    }


@pytest.fixture(scope="module")
def nasnet() -> Any:
    """The module of timm."""
    import_timm()
    return importlib.import_module("timm.models.nasnet")


def _float_tensors(module: nn.Module) -> list[Tensor]:
    return [tensor for tensor in module.state_dict().values() if tensor.is_floating_point()]


def _equate(ours: nn.Module, theirs: nn.Module, parts: dict[str, str]) -> None:
    """Fill both with the same values: filters of either sign, other tensors above 0."""
    generator = torch.Generator().manual_seed(2)
    filled = 0
    for own, other in parts.items():
        pair = (
            _float_tensors(ours.get_submodule(own)),
            _float_tensors(theirs.get_submodule(other)),
        )
        for mine, its in zip(*pair, strict=True):
            lowest = -0.5 if mine.ndim > 1 else 0.5
            mine.uniform_(lowest, lowest + 1, generator=generator)
            its.copy_(mine)
            filled += 1
    assert filled == len(_float_tensors(ours)) == len(_float_tensors(theirs)), (
        "a part is missing in `parts`"
    )


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("name", _pairs())
def test_cell_has_the_same_output_as_in_timm(nasnet: Any, name: str, size: int) -> None:
    """Even and odd images: padding and the shifted half of a reduction differ there."""
    ours, their_name, arguments, parts = _pairs()[name]
    theirs = getattr(nasnet, their_name)(*arguments)
    _equate(ours, theirs, parts)
    previous = 2 * size - 1 if "twice" in name else size  # ⌈previous/2⌉ is the size
    x, p = torch.randn(1, X, size, size), torch.randn(1, P, previous, previous)
    with torch.no_grad():
        mine = ours.eval()(x, x if "first" in name else p)
        if "first" in name:
            its = theirs.eval()(x)
        else:
            its = theirs.eval()(*((p, x) if their_name == "CellStem1" else (x, p)))
    assert torch.allclose(mine, its, rtol=1e-4, atol=1e-4)
    sums = mine.split(FILTERS, dim=1)
    assert len(sums) == (6 if "normal" in name else 4)
    assert min(part.std().item() for part in sums) > 0.1
