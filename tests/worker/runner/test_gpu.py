"""The selection of a GPU and the limit on its memory, with torch's calls recorded."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from worker.assignment import Assignment
from worker.runner.gpu import select_gpu

TOTAL_MIB = 80_000


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []
    properties = SimpleNamespace(total_memory=TOTAL_MIB * 2**20)
    monkeypatch.setattr(torch.cuda, "set_device", lambda index: calls.append(("use", index)))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    monkeypatch.setattr(
        torch.cuda,
        "set_per_process_memory_fraction",
        lambda fraction, index: calls.append(("limit", fraction, index)),
    )
    return calls


def _assignment(resources: dict[str, Any] | None) -> Assignment:
    spec = {"resources": resources}
    return Assignment("job_1", 1, spec, None, "cuda:1", "GPU-1", 4, index=1)


@pytest.mark.parametrize("resources", [None, {}, {"gpu_memory_mib": None}])
def test_job_without_a_limit_may_use_the_whole_gpu(
    resources: dict[str, Any] | None, calls: list[tuple[Any, ...]]
) -> None:
    select_gpu(_assignment(resources))
    assert calls == [("use", 1)]


@pytest.mark.parametrize(("mib", "fraction"), [(20_000, 0.25), (1, 1 / TOTAL_MIB), (90_000, 1.0)])
def test_job_may_use_as_much_memory_as_its_specification_says(
    mib: int, fraction: float, calls: list[tuple[Any, ...]]
) -> None:
    select_gpu(_assignment({"gpu_memory_mib": mib}))
    assert calls == [("use", 1), ("limit", fraction, 1)]
