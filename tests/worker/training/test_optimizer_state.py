"""The device of an optimizer's tensors after a resume: the device that torch itself would choose.

The meta device stands for a GPU, since it differs from the CPU.
"""

from typing import Any

import pytest
import torch
from torch import nn

from worker.registry import optimizers
from worker.training.optimizer_state import capture_optimizer, restore_optimizer

DEFAULTS: dict[str, dict[str, Any]] = {
    "adagrad": {},
    "rmsprop": {"momentum": 0.9},
    "sgd": {"momentum": 0.9},
}


def _stepped(network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    network(torch.ones(3, 2)).sum().backward()
    optimizer.step()
    return capture_optimizer(optimizer, network)


def _devices(optimizer: torch.optim.Optimizer, network: nn.Module) -> set[tuple[str, str]]:
    return {
        (key, tensor.device.type)
        for parameter in network.parameters()
        for key, tensor in optimizer.state[parameter].items()
    }


@pytest.mark.parametrize("name", list(DEFAULTS))
def test_step_counts_stay_on_the_cpu_and_other_tensors_go_to_the_device(name: str) -> None:
    make = optimizers.get(name).function
    network, on_meta = nn.Linear(2, 4), nn.Linear(2, 4, device="meta")
    state = _stepped(network, make(network.parameters(), 0.1, **DEFAULTS[name]))
    optimizer = make(on_meta.parameters(), 0.1, **DEFAULTS[name])
    restore_optimizer(optimizer, on_meta, state)
    devices = _devices(optimizer, on_meta)
    assert {device for key, device in devices if key != "step"} == {"meta"}
    assert {device for key, device in devices if key == "step"} <= {"cpu"}
    assert {key for key, _ in devices} == set(state["weight"])


@pytest.mark.parametrize("reader", ["fused", "capturable"])
def test_step_counts_go_to_the_device_if_the_optimizer_reads_them_there(reader: str) -> None:
    network, on_meta = nn.Linear(2, 4), nn.Linear(2, 4, device="meta")
    state = _stepped(network, torch.optim.Adam(network.parameters()))
    optimizer = torch.optim.Adam(
        [{"params": [on_meta.weight]}, {"params": [on_meta.bias]}], foreach=True
    )
    optimizer.param_groups[0][reader] = True
    restore_optimizer(optimizer, on_meta, state)
    assert optimizer.state[on_meta.weight]["step"].device.type == "meta"
    assert optimizer.state[on_meta.bias]["step"].device.type == "cpu"


def test_restored_step_count_is_a_copy() -> None:
    network = nn.Linear(2, 4)
    state = _stepped(network, torch.optim.RMSprop(network.parameters()))
    optimizer = torch.optim.RMSprop(network.parameters())
    restore_optimizer(optimizer, network, state)
    _stepped(network, optimizer)
    assert state["weight"]["step"].item() == 1
    assert optimizer.state[network.weight]["step"].item() == 2
