"""Randomness as a function of the seed and the place in the training: nothing to carry over.

Data order, dropout and initial weights each draw from a stream of their own, derived from the
job's seed and a path such as ("order", epoch). So a resumed training draws what it would have.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


def derive(seed: int, *path: str | int) -> int:
    """A seed of 63 bits for one stream of a job.

    Args:
        seed: the job's seed, 0…2⁵³−1.
        *path: what the stream is for.
    """
    text = "/".join(map(str, (seed, *path)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def generator(seed: int, *path: str | int) -> torch.Generator:
    """A generator on the CPU for one stream of a job."""
    return torch.Generator().manual_seed(derive(seed, *path))


def order(samples: int, seed: int, epoch: int) -> Tensor:
    """The order in which an epoch goes through its samples, int64 [N] on the CPU."""
    return torch.randperm(samples, generator=generator(seed, "order", epoch))


def reseed(seed: int, step: int, device: torch.device) -> None:
    """Set the generators that layers such as dropout draw from, for one step.

    `torch.manual_seed` does the same for every backend there is, at a hundred times the cost.
    """
    value = derive(seed, "step", step)
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        torch.cuda.default_generators[_index(device)].manual_seed(value)


def generator_states(device: torch.device) -> dict[str, Tensor]:
    """The states of the generators that layers draw from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_generators(states: dict[str, Tensor], device: torch.device) -> None:
    """Set the generators as they were; one that this machine lacks is left out."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)


@contextmanager
def deterministic_algorithms(is_wanted: bool) -> Iterator[None]:
    """Ask for algorithms that give the same bits each time, and put things back afterwards.

    It warns only, since CUDA's max-pooling counts as not deterministic though windows that do
    not overlap have nothing to add up in an unknown order; `exactness` notes what it warns of.
    """
    was_wanted = torch.are_deterministic_algorithms_enabled()
    warned_only = torch.is_deterministic_algorithms_warn_only_enabled()
    tuned = torch.backends.cudnn.benchmark
    memory: Any = torch.utils.deterministic
    filled = memory.fill_uninitialized_memory
    torch.use_deterministic_algorithms(is_wanted, warn_only=True)
    torch.backends.cudnn.benchmark = not is_wanted
    # Nothing here reads memory before it is written, and filling it costs a pass over each tensor
    memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was_wanted, warn_only=warned_only)
        torch.backends.cudnn.benchmark = tuned
        memory.fill_uninitialized_memory = filled


def fingerprint(device: torch.device) -> dict[str, str]:
    """What the last bits of a result depend on beside the specification."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return {
        "torch": torch.__version__,
        "device": name,
        "threads": str(torch.get_num_threads()),
        "capability": torch.backends.cpu.get_cpu_capability(),
    }


def _index(device: torch.device) -> int:
    return torch.cuda.current_device() if device.index is None else device.index
