"""The arithmetic and the memory traffic of one training step, counted without a device."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


class Traffic(TorchDispatchMode):
    """Counts the bytes that operations read and write, each tensor once per operation."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count an operation's arguments and results, unless it only makes a view."""
        results = func(*args, **(kwargs or {}))
        if not func.is_view:
            tensors = [x for x in tree_leaves((args, kwargs, results)) if isinstance(x, Tensor)]
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return results


def work_per_image(
    network: nn.Module, image_shape: tuple[int, int, int], dtype: torch.dtype, *, batch_size: int
) -> tuple[float, float]:
    """Return the floating-point operations and the bytes of a step, per image.

    Args:
        network: on the meta device.
        image_shape: channels, height, width.
        dtype: of weights and activations.
        batch_size: images in a step, which share the traffic of the weights.
    """
    network = network.to(dtype).train()
    images_NCHW = torch.empty(batch_size, *image_shape, dtype=dtype, device="meta")
    labels_N = torch.zeros(batch_size, dtype=torch.int64, device="meta")

    def step() -> None:
        functional.cross_entropy(network(images_NCHW).float(), labels_N).backward()

    with FlopCounterMode(display=False) as flops:
        step()
    with Traffic() as traffic:
        step()
    return flops.get_total_flops() / batch_size, traffic.bytes / batch_size
