"""Norms of parameters and gradients that stay exact for large tensors, on a CPU too.

On a CPU, torch adds all magnitudes of a tensor up in one float32 per thread: over 10⁸ elements the
Euclidean norm comes out 1 to 4 % too small, the sum of magnitudes 20 to 80 %, and it depends on the
number of threads. Here float32 holds the sum of a short row at most, and float64 the sum of rows.
On a GPU, torch adds up blocks in a tree, which is exact.
"""
# ruff: noqa: SLF001 - torch._foreach_* have no public names
# pyright: reportPrivateImportUsage=false

from collections.abc import Iterator

import torch
from torch import Tensor

#: Elements that are processed at once: 16 MiB, which bounds the memory of magnitudes. The float64
#: sums of a part have too few elements for torch to divide them among threads.
PART = 2**22
#: Elements that are added up in float32. Rows are what torch divides among threads.
ROW = 256


def euclidean_norms(tensors: list[Tensor]) -> Tensor:
    """Return ‖w‖₂ of each tensor, float64 [number of tensors].

    A CPU gives the same bits with any number of threads.
    """
    if tensors[0].device.type != "cpu":
        return torch.stack(torch._foreach_norm(tensors)).double()
    return torch.stack([_cpu_sum_of_squares(tensor) for tensor in tensors]).sqrt()


def absolute_sums(tensors: list[Tensor]) -> Tensor:
    """Return Σ|w| of each tensor, float64 [number of tensors]; threads as above."""
    if tensors[0].device.type != "cpu":
        return torch.stack(torch._foreach_norm(tensors, 1)).double()
    return torch.stack([_cpu_absolute_sum(tensor) for tensor in tensors])


def _cpu_sum_of_squares(tensor: Tensor) -> Tensor:
    norms = [torch.linalg.vector_norm(rows, dim=1).double() for rows in _rows(tensor)]
    return _total([part.square_().sum() for part in norms])


def _cpu_absolute_sum(tensor: Tensor) -> Tensor:
    return _total([rows.abs().sum(1).double().sum() for rows in _rows(tensor)])


def _total(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.stack(parts).sum()


def _rows(tensor: Tensor) -> Iterator[Tensor]:
    """Yield all elements in matrices of short rows, in the order of memory and without a copy."""
    if tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last):
        tensor = tensor.permute(0, 2, 3, 1)
    for part in tensor.reshape(-1).split(PART):
        whole = len(part) // ROW * ROW
        if whole:
            yield part[:whole].view(-1, ROW)
        if whole < len(part) or not whole:
            yield part[whole:].view(1, -1)
