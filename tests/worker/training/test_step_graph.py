"""CUDA graphs of steps: on a GPU the bits, and on any machine when a step is captured.

A CPU has no graphs: there a fake records the captured function and calls it at each replay.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from worker.optimizers.adagrad import adagrad
from worker.optimizers.adam import adam
from worker.optimizers.adamw import adamw
from worker.optimizers.rmsprop import rmsprop
from worker.optimizers.sgd import sgd
from worker.training import step_graph
from worker.training.step_graph import (
    EAGER_STEPS,
    LearningRate,
    StepGraph,
    StepTensors,
    make_capturable,
)

CPU = torch.device("cpu")


class Gpu:
    """Replaces what `torch.cuda` offers for graphs. What is captured runs at each replay."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.captures = self.replays = 0
        self.peak_bytes, self.free_bytes, self.fraction = 100, 1000, 1.0
        self.is_capturing = False
        self.error: Exception | None = None
        self.replay: Callable[[], None] = lambda: None
        gpu = self

        class Graph:
            def replay(self) -> None:
                gpu.replays += 1
                gpu.replay()

        @contextmanager
        def graph(_: Graph, *, capture_error_mode: str) -> Iterator[None]:
            assert capture_error_mode == "thread_local"
            gpu.captures += 1
            gpu.is_capturing = True
            try:
                yield
                if gpu.error is not None:
                    raise gpu.error
            finally:
                gpu.is_capturing = False

        for name, value in {
            "CUDAGraph": Graph,
            "graph": graph,
            "reset_peak_memory_stats": lambda _: None,
            "max_memory_allocated": lambda _: gpu.peak_bytes,
            "mem_get_info": lambda _: (gpu.free_bytes, 1000),
            "get_per_process_memory_fraction": lambda: gpu.fraction,
        }.items():
            monkeypatch.setattr(torch.cuda, name, value)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    return Gpu(monkeypatch)


class Step:
    """A step that adds up its pixels; counts how often it is computed outside of a capture."""

    def __init__(self, gpu: Gpu) -> None:
        self.gpu = gpu
        self.eager = 0

    def __call__(self, pixels_NHWC: Tensor, targets_N: Tensor) -> StepTensors:
        sums_N1 = torch.zeros(len(pixels_NHWC), 1)
        zero = torch.zeros(())
        results = StepTensors(sums_N1, targets_N, zero, None, zero, torch.zeros(1), None)

        def kernels() -> None:
            sums_N1.copy_(pixels_NHWC.sum((1, 2, 3))[:, None])

        if self.gpu.is_capturing:
            self.gpu.replay = kernels
        else:
            self.eager += 1
            kernels()
        return results


def _batch(value: int, samples: int = 4) -> tuple[Tensor, Tensor]:
    return torch.full((samples, 2, 2, 1), value), torch.full((samples,), value)


def test_steps_after_the_first_are_replayed_with_their_own_batches(gpu: Gpu) -> None:
    step = Step(gpu)
    graph = StepGraph(step, CPU)
    results = [graph(*_batch(value)) for value in range(10)]
    assert (step.eager, gpu.captures, gpu.replays) == (EAGER_STEPS, 1, 10 - EAGER_STEPS)
    for value, result in enumerate(results):
        assert result.outputs_NM.tolist() == [[4 * value]] * 4, "overwritten by a later step"
        assert result.targets_N.tolist() == [value] * 4


def test_a_batch_of_another_size_is_computed_without_the_graph(gpu: Gpu) -> None:
    step = Step(gpu)
    graph = StepGraph(step, CPU)
    sizes = [4, 4, 3, 4, 4, 3, 4]
    for value, samples in enumerate(sizes):
        result = graph(*_batch(value, samples))
        assert result.outputs_NM.tolist() == [[4 * value]] * samples
    assert (step.eager, gpu.captures, gpu.replays) == (EAGER_STEPS + 2, 1, 2)


def test_a_step_that_cannot_be_captured_is_computed_each_time(gpu: Gpu) -> None:
    gpu.error = RuntimeError("operation not permitted when stream is capturing")
    step = Step(gpu)
    graph = StepGraph(step, CPU)
    with pytest.warns(UserWarning, match="not captured as a CUDA graph: operation not permitted"):
        results = [graph(*_batch(value)) for value in range(8)]
    assert [result.outputs_NM[0, 0] for result in results] == [4 * value for value in range(8)]
    assert (step.eager, gpu.captures, gpu.replays) == (8, 1, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("peak_bytes", step_graph.MAX_STEP_BYTES + 1), ("free_bytes", 99), ("fraction", 0.19)],
)
def test_a_step_that_does_not_fit_a_second_time_is_not_captured(
    name: str, value: Any, gpu: Gpu
) -> None:
    if name == "peak_bytes":
        gpu.free_bytes = 2 * value
    setattr(gpu, name, value)
    step = Step(gpu)
    graph = StepGraph(step, CPU)
    for number in range(8):
        graph(*_batch(number))
    assert (step.eager, gpu.captures) == (8, 0)


@pytest.mark.parametrize(
    ("make", "is_capturable", "skips"),
    [
        (sgd, True, True),
        (adam, True, True),
        (adamw, True, True),
        (rmsprop, True, False),
        (adagrad, False, False),
    ],
)
def test_optimizers_that_can_be_captured(make: Any, is_capturable: bool, skips: bool) -> None:
    for skips_overflow, expected in ((False, is_capturable), (True, skips)):
        optimizer = make([nn.Parameter(torch.ones(2, 2))], 0.1)
        assert make_capturable(optimizer, skips_overflow=skips_overflow) == expected


@pytest.mark.parametrize("make", [sgd, adam, adamw])
def test_a_learning_rate_on_the_device_takes_the_same_steps(make: Any) -> None:
    weights = []
    for device in (None, CPU):
        weight = nn.Parameter(torch.ones(2, 2))
        optimizer = make([weight], 0.5)
        rate = LearningRate(optimizer, device)
        for value in (0.5, 0.25, 0.25, 0.125):  # exact in float32
            rate.set(value)
            weight.grad = torch.full_like(weight, 0.3)
            optimizer.step()
        weights.append(weight.detach())
    assert torch.equal(*weights)
