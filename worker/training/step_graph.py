"""The work of a training step as a CUDA graph, which launches all its kernels at once.

A small network is bound by launches: on an H100, `vgg_small` at batch 32 has 0.6 ms of work in a
step of 4 ms. A graph repeats the kernels of the captured step on the same memory, so it gives the
same bits as the step without it. Random numbers follow the seed of each step: a graph reads the
generator's seed when it is launched. Axes: N samples, H height, W width, C channels, M outputs.
"""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

#: Steps before the capture: they create the optimizer's state and load libraries and kernels.
EAGER_STEPS = 3
#: A graph keeps the memory of its step, and evaluation needs its own. Beyond this size a step has
#: so much work that launches do not matter.
MAX_STEP_BYTES = 2 * 2**30


class StepTensors(NamedTuple):
    """What a step leaves on the device."""

    outputs_NM: Tensor
    #: Classes, or the numbers to predict.
    targets_N: Tensor
    data_loss: Tensor
    penalty: Tensor | None
    gradient_norm: Tensor
    gradient_norms: Tensor
    was_clipped: Tensor | None

    def copies(self) -> "StepTensors":
        """Return copies that the next step does not overwrite."""
        return StepTensors(
            self.outputs_NM.clone(),
            self.targets_N.clone(),
            self.data_loss.clone(),
            None if self.penalty is None else self.penalty.clone(),
            self.gradient_norm.clone(),
            self.gradient_norms.clone(),
            None if self.was_clipped is None else self.was_clipped.clone(),
        )


#: Stored pixels [N, H, W, C] and targets [N] → what the step on them leaves.
Compute = Callable[[Tensor, Tensor], StepTensors]


class StepGraph:
    """Computes steps one by one, and as a graph once it has seen some of the same shape.

    A batch of another shape, such as the last of an epoch, is computed without the graph. So is
    every batch if the step cannot be captured or needs much memory.

    Args:
        compute: the work of a step. It must read nothing but its arguments, the generator and
            tensors that stay where they are, and must not wait for the device.
        device: the GPU.
    """

    def __init__(self, compute: Compute, device: torch.device) -> None:
        self._compute = compute
        self._device = device
        self._eager_steps = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        #: The tensors that the graph reads and writes.
        self._pixels_NHWC = self._targets_N = torch.empty(0)
        self._results: StepTensors | None = None

    def __call__(self, pixels_NHWC: Tensor, targets_N: Tensor) -> StepTensors:
        """Compute a step."""
        if self._graph is None and self._is_due(pixels_NHWC):
            self._capture(pixels_NHWC, targets_N)
        is_captured = self._graph is not None and pixels_NHWC.shape == self._pixels_NHWC.shape
        if not is_captured or self._graph is None or self._results is None:
            return self._compute(pixels_NHWC, targets_N)
        self._pixels_NHWC.copy_(pixels_NHWC)
        self._targets_N.copy_(targets_N)
        self._graph.replay()
        return self._results.copies()

    def _is_due(self, pixels_NHWC: Tensor) -> bool:
        """Return whether the next step is captured: once, after some steps of its shape."""
        if self._eager_steps == 0:
            torch.cuda.reset_peak_memory_stats(self._device)
            self._pixels_NHWC = pixels_NHWC
        if self._eager_steps > EAGER_STEPS or pixels_NHWC.shape != self._pixels_NHWC.shape:
            return False
        self._eager_steps += 1
        return self._eager_steps > EAGER_STEPS and self._has_room()

    def _has_room(self) -> bool:
        """Return whether the memory of a step fits a second time, next to what steps use now."""
        needed_bytes = torch.cuda.max_memory_allocated(self._device)
        free_bytes, total_bytes = torch.cuda.mem_get_info(self._device)
        allowed_bytes = total_bytes * torch.cuda.get_per_process_memory_fraction()
        return needed_bytes <= min(MAX_STEP_BYTES, free_bytes, allowed_bytes / 2)

    def _capture(self, pixels_NHWC: Tensor, targets_N: Tensor) -> None:
        """Record the step's kernels, which does not run them."""
        self._pixels_NHWC, self._targets_N = pixels_NHWC.clone(), targets_N.clone()
        graph = torch.cuda.CUDAGraph()
        try:
            # Other threads may use the GPU meanwhile, such as the thread that reads batches ahead
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self._results = self._compute(self._pixels_NHWC, self._targets_N)
        except RuntimeError as error:
            warnings.warn(f"The step is not captured as a CUDA graph: {error}", stacklevel=2)
            self._results = None
            return
        self._graph = graph


def make_capturable(optimizer: torch.optim.Optimizer, *, skips_overflow: bool) -> bool:
    """Prepare an optimizer without state for a capture; return whether it can be captured.

    Args:
        optimizer: changed in place.
        skips_overflow: whether a step whose gradient is not finite is skipped (float16). Only
            fused optimizers do that without waiting for the device.
    """
    groups = optimizer.param_groups
    for group in groups:
        if "capturable" in group:
            group["capturable"] = True
    # Otherwise it warns of each batch that is computed without the graph
    optimizer._warned_capturable_if_run_uncaptured = True  # noqa: SLF001 # pyright: ignore[reportAttributeAccessIssue]
    if skips_overflow:
        return all(group.get("fused") for group in groups)
    return all(group.get("fused") or group.get("capturable") for group in groups)


class LearningRate:
    """Sets the learning rate of an optimizer for each step.

    Args:
        optimizer: changed in place.
        device: where the optimizer reads it: a graph repeats numbers, but reads tensors again.
            None for a number.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, device: torch.device | None) -> None:
        self._groups = optimizer.param_groups
        self._tensor = None if device is None else torch.zeros((), device=device)
        self._value: float | None = None

    def set(self, value: float) -> None:
        """Set the learning rate of all groups."""
        if value == self._value:
            return
        if self._tensor is not None:
            self._tensor.fill_(value)
        for group in self._groups:
            group["lr"] = value if self._tensor is None else self._tensor
        self._value = value
