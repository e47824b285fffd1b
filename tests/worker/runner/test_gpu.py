"""The selection of a GPU and the limit on its memory, with torch's calls recorded."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from shared.jobs.memory_need import CONTEXT_MIB
from worker.assignment import Assignment
from worker.runner.gpu import select_gpu, used_mib

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


def _assignment(memory_mib: float) -> Assignment:
    return Assignment("job_1", 1, {}, None, "cuda:1", "GPU-1", 4, index=1, memory_mib=memory_mib)


def test_job_without_a_limit_may_use_the_whole_gpu(calls: list[tuple[Any, ...]]) -> None:
    select_gpu(_assignment(0.0))
    assert calls == [("use", 1)]


@pytest.mark.parametrize(
    ("mib", "fraction"),
    [(20_000 + CONTEXT_MIB, 0.25), (CONTEXT_MIB, CONTEXT_MIB / 2 / TOTAL_MIB), (90_000, 1.0)],
)
def test_torch_may_allocate_what_was_planned_without_the_context(
    mib: int, fraction: float, calls: list[tuple[Any, ...]]
) -> None:
    select_gpu(_assignment(mib))
    assert calls == [("use", 1), ("limit", fraction, 1)]


def test_the_used_memory_is_measured_only_once_cuda_has_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert used_mib() is None
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 100 * 2**20)
    assert used_mib() == 100 + CONTEXT_MIB
