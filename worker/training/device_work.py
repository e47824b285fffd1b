"""What a GPU does while its host is busy: whether it has work left, and copies that overlap."""

from collections.abc import Hashable, Mapping
from typing import TypeVar

import torch
from torch import Tensor

Name = TypeVar("Name", bound=Hashable)


def is_busy(device: torch.device) -> bool:
    """Return whether the device still has work to do; a CPU has none once a call has returned."""
    return device.type == "cuda" and not torch.cuda.current_stream(device).query()


def copy_to_cpu(tensors: Mapping[Name, Tensor]) -> dict[Name, Tensor]:
    """Return copies on the CPU that no later step changes.

    Copies from a GPU go into page-locked memory one behind the other, and are waited for once.
    """
    copies = {name: _copy(tensor.detach()) for name, tensor in tensors.items()}
    for device in {tensor.device for tensor in tensors.values() if tensor.is_cuda}:
        torch.cuda.current_stream(device).synchronize()
    return copies


def _copy(tensor: Tensor) -> Tensor:
    if not tensor.is_cuda:
        return tensor.to("cpu", copy=True)
    pinned = torch.empty_like(tensor, device="cpu", pin_memory=True)
    return pinned.copy_(tensor, non_blocking=True)
