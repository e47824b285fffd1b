"""The tensors of an optimizer, by parameter name: how they are copied and restored."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from worker.training.device_work import copy_to_cpu

#: The optimizer's tensors by parameter name and key.
OptimizerState = dict[str, dict[str, Tensor]]


def capture_optimizer(optimizer: torch.optim.Optimizer, model: nn.Module) -> OptimizerState:
    """Return copies of the optimizer's tensors on the CPU."""
    tensors = {
        (name, key): value
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }
    state: OptimizerState = {}
    for (name, key), copy in copy_to_cpu(tensors).items():
        state.setdefault(name, {})[key] = copy
    return state


def restore_optimizer(
    optimizer: torch.optim.Optimizer, model: nn.Module, state: Mapping[str, Mapping[str, Tensor]]
) -> None:
    """Put the tensors of an earlier optimizer into a new optimizer.

    Tensors take their parameter's memory layout, since fused optimizers read both as flat memory
    and a file does not keep the layout. They go to the parameter's device. A step count goes there
    only if the optimizer reads it there: otherwise every step would wait for the device.

    Raises:
        ValueError: the state belongs to another network.
    """
    parameters = dict(model.named_parameters())
    unknown = sorted(set(state) - set(parameters))
    if unknown:
        raise ValueError(f"The optimizer state belongs to another network: it has {unknown[0]!r}.")
    counts_on_device = {
        parameter: bool(group.get("fused") or group.get("capturable"))
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    for name, tensors in state.items():
        parameter = parameters[name]
        for key, value in tensors.items():
            stays = key == "step" and not counts_on_device.get(parameter, False)
            device = value.device if stays else parameter.device
            like = parameter.detach() if value.shape == parameter.shape else value
            copy = torch.empty_like(like, dtype=value.dtype, device=device)
            optimizer.state[parameter][key] = copy.copy_(value)
