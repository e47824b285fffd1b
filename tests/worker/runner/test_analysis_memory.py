"""Analyses that do not fit into the memory that they may use."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from shared.jobs.retry_policy import MEMORY_GROWTH, grow_memory
from tests.worker.runner.analysed_jobs import failure_of, submit, trained
from tests.worker.runner.jobs import Jobs
from worker.analyses import curvature
from worker.assignment import ExitCode
from worker.runner import analysis, analysis_memory, process

__all__ = ["trained"]

MIB = 2**20


@pytest.fixture(autouse=True)
def _memory(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.setattr(process, "_redirect_output", lambda _: None)
    monkeypatch.setattr(analysis_memory, "machine_bytes", lambda: 2000 * MIB)


def run_out_of_memory(*_: Any, **__: Any) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")


def test_too_little_memory_is_a_failure_with_both_numbers(trained: Jobs) -> None:
    analysis_id = submit(trained, memory_mib=2345.4)
    assert process.train(trained.assignment(), trained.settings) == ExitCode.DONE
    failure = failure_of(trained.job(analysis_id))
    assert failure["kind"] == "out_of_memory"
    assert "about 2,345 MiB of memory, and 2,000 MiB are available" in failure["message"]


def test_a_prediction_that_was_too_low_is_a_failure_with_both_numbers(
    trained: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curvature, "lanczos", run_out_of_memory)
    analysis_id = submit(trained, memory_mib=123.4)
    assert process.train(trained.assignment(), trained.settings) == ExitCode.DONE
    failure = failure_of(trained.job(analysis_id))
    assert failure["kind"] == "out_of_memory"
    assert "About 123 MiB of memory were predicted" in failure["message"]
    assert "more than the 2,000 MiB that were available" in failure["message"]


def test_an_analysis_whose_planned_memory_is_not_enough_starts_again_with_more(
    trained: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (analysis, process):
        monkeypatch.setattr(module, "is_limit_predicted", lambda _: True)
    monkeypatch.setattr(curvature, "lanczos", run_out_of_memory)
    kept: list[str] = []
    monkeypatch.setattr(trained.storage.__class__, "delete_partial_results", kept.append)
    analysis_id = submit(trained, planned_mib=1000.0)
    assignment = trained.assignment()
    assert process.train(assignment, trained.settings) == ExitCode.MEMORY_LIMIT
    with trained.database.write() as connection:
        state = grow_memory(connection, assignment.lease, largest_mib=80_000.0, exit_code=19)
    row = trained.job(analysis_id)
    assert (state, row.state, row.failure) == ("queued", "queued", None)
    assert row.memory_mib == 1000 * MEMORY_GROWTH
    assert kept == [], "partial results are deleted only when the analysis ends"


@pytest.mark.parametrize(("limit", "expected"), [(5600.0, 5000.0), (0.0, 30_000.0)])
def test_on_a_gpu_it_may_use_its_limit_or_what_is_free(
    trained: Jobs, monkeypatch: pytest.MonkeyPatch, limit: float, expected: float
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (30_000 * MIB, 80_000 * MIB))
    on_gpu: Any = SimpleNamespace(uuid="GPU-1", memory_mib=limit)
    assert analysis_memory.available_mib(on_gpu, trained.settings) == expected
