"""On which device an optimizer's state lies after a resume: where torch itself would have it.

The meta device stands for a GPU, since it is another one than the CPU.
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
def test_counts_of_steps_stay_on_the_cpu_and_the_rest_goes_to_the_device(name: str) -> None:
    make = optimizers.get(name).function
    network, there = nn.Linear(2, 4), nn.Linear(2, 4, device="meta")
    kept = _stepped(network, make(network.parameters(), 0.1, **DEFAULTS[name]))
    optimizer = make(there.parameters(), 0.1, **DEFAULTS[name])
    restore_optimizer(optimizer, there, kept)
    found = _devices(optimizer, there)
    assert {device for key, device in found if key != "step"} == {"meta"}
    assert {device for key, device in found if key == "step"} <= {"cpu"}
    assert {key for key, _ in found} == set(kept["weight"])


@pytest.mark.parametrize("reader", ["fused", "capturable"])
def test_they_go_there_where_the_optimizer_reads_them_there(reader: str) -> None:
    network, there = nn.Linear(2, 4), nn.Linear(2, 4, device="meta")
    kept = _stepped(network, torch.optim.Adam(network.parameters()))
    optimizer = torch.optim.Adam(
        [{"params": [there.weight]}, {"params": [there.bias]}], foreach=True
    )
    optimizer.param_groups[0][reader] = True
    restore_optimizer(optimizer, there, kept)
    assert optimizer.state[there.weight]["step"].device.type == "meta"
    assert optimizer.state[there.bias]["step"].device.type == "cpu"


def test_a_count_that_is_restored_is_a_copy() -> None:
    network = nn.Linear(2, 4)
    kept = _stepped(network, torch.optim.RMSprop(network.parameters()))
    optimizer = torch.optim.RMSprop(network.parameters())
    restore_optimizer(optimizer, network, kept)
    _stepped(network, optimizer)
    assert kept["weight"]["step"].item() == 1
    assert optimizer.state[network.weight]["step"].item() == 2
