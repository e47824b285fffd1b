"""Randomness as a function of the seed and the position in the job.

Data order, dropout and initial weights each draw from a separate stream, derived from the job's
seed and a path such as ("order", epoch). So a resumed job draws the same numbers as without
a stop, and no generator state has to be carried over.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


def derive(seed: int, *path: str | int) -> int:
    """Return the seed of one stream of a job, with 63 bits.

    Args:
        seed: the job's seed, 0…2⁵³−1.
        *path: what the stream is for.
    """
    text = "/".join(map(str, (seed, *path)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def generator(seed: int, *path: str | int) -> torch.Generator:
    """Return a generator on the CPU for one stream of a job."""
    return torch.Generator().manual_seed(derive(seed, *path))


def sample_order(samples: int, seed: int, epoch: int) -> Tensor:
    """Return the order in which an epoch goes through its samples, int64 [N] on the CPU."""
    return torch.randperm(samples, generator=generator(seed, "order", epoch))


def reseed(seed: int, step: int, device: torch.device) -> None:
    """Seed, for one step, the generators that layers such as dropout draw from.

    `torch.manual_seed` does the same for every backend, but takes a hundred times as long.
    """
    _seed_generators(derive(seed, "step", step), device)


def _seed_generators(value: int, device: torch.device) -> None:
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        torch.cuda.default_generators[_index(device)].manual_seed(value)


def reseed_rank(rank: int, device: torch.device) -> None:
    """Seed the generators for one of several ranks, after `reseed`: their dropout masks differ."""
    _seed_generators(derive(torch.initial_seed(), "rank", rank), device)


def generator_states(device: torch.device) -> dict[str, Tensor]:
    """Return the states of the generators that layers draw from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_generators(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Set the generators to earlier states; skip a generator that this machine lacks."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)


@contextmanager
def deterministic_algorithms(is_enabled: bool) -> Iterator[None]:
    """Request algorithms that give the same bits each time; restore the settings at the end.

    Torch warns instead of raising, since it counts CUDA's max-pooling as nondeterministic even
    where windows do not overlap and the order of additions cannot matter. `determinism` collects
    the warnings.
    """
    was_enabled = torch.are_deterministic_algorithms_enabled()
    was_warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    was_benchmarking = torch.backends.cudnn.benchmark
    settings: Any = torch.utils.deterministic
    was_filling = settings.fill_uninitialized_memory
    torch.use_deterministic_algorithms(is_enabled, warn_only=True)
    torch.backends.cudnn.benchmark = not is_enabled
    # Nothing here reads memory before it is written, and filling it costs a pass over each tensor
    settings.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was_enabled, warn_only=was_warn_only)
        torch.backends.cudnn.benchmark = was_benchmarking
        settings.fill_uninitialized_memory = was_filling


def machine_fingerprint(device: torch.device, processes: int = 1) -> dict[str, str]:
    """Return what the last bits of a result depend on, apart from the specification.

    Args:
        device: of this process.
        processes: that train together.
    """
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return {
        **({"processes": str(processes)} if processes > 1 else {}),
        "torch": torch.__version__,
        "device": name,
        "threads": str(torch.get_num_threads()),
        "capability": torch.backends.cpu.get_cpu_capability(),
    }


def _index(device: torch.device) -> int:
    return torch.cuda.current_device() if device.index is None else device.index
