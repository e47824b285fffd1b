"""The work of a training step: operations, the bytes that they read and write, and products."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

aten = torch.ops.aten


@dataclass
class Work:
    """What the duration of a step depends on."""

    operations: int = 0
    #: Read and written by all operations.
    bytes: int = 0
    #: Floating point operations of convolutions and matrix products.
    flops: int = 0


class WorkCounter(TorchDispatchMode):
    """Counts the work of everything that runs under it, also on the meta device."""

    def __init__(self) -> None:
        super().__init__()
        self.work = Work()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count an operation. PyTorch calls this for every operation."""
        results = func(*args, **(kwargs or {}))
        if not func.is_view:
            tensors = [part for part in tree_leaves((args, results)) if isinstance(part, Tensor)]
            self.work.operations += 1
            self.work.bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
            self.work.flops += _flops(func.overloadpacket, args, results)
        return results


def _flops(operation: Any, args: Any, results: Any) -> int:
    # torch's own count of a backward pass does not divide by the groups of a convolution.
    if operation == aten.convolution:
        return 2 * results.numel() * args[1][0].numel()
    if operation == aten.convolution_backward:
        return 4 * args[0].numel() * args[2][0].numel()
    count = flop_registry.get(operation)
    return 0 if count is None else count(*args, out_val=results)
