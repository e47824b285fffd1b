"""The processes that train one experiment together, each with the whole network.

Every rank computes its part of each batch, and the ranks add up their gradients. So all of them
take the same step, and hold the same weights and the same training state after it: any rank can
write a checkpoint, and one process can resume it. Axes: N samples, M classes.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import FileStore  # pyright: ignore[reportPrivateImportUsage]

#: A rank waits for the others while the first handles a report, which may take any time. The
#: process that started the ranks finds out when one of them has died.
TIMEOUT = timedelta(days=7)
#: All ranks are on this machine, so nothing listens on another network.
LOOPBACK = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}


class RankLost(RuntimeError):
    """Another rank no longer answers: its process has ended."""


@dataclass(frozen=True)
class Ranks:
    """The ranks of a training; a single one needs no process group.

    Args:
        rank: of this process, from 0.
        count: of all processes.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_alone(self) -> bool:
        """Whether this process trains alone."""
        return self.count == 1

    def part(self, samples: int) -> slice:
        """Return the samples of a list that belong to this rank; it may have none."""
        return slice(samples * self.rank // self.count, samples * (self.rank + 1) // self.count)

    def part_of_batch(self, samples: int) -> "Part":
        """Return what this rank computes of a training batch, at least one sample.

        A batch with fewer samples than there are ranks is computed by all of them.
        """
        if samples < self.count:
            return Part(slice(0, samples), is_counted=self.rank == 0, repeats=self.count)
        return Part(self.part(samples))

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Add up tensors over all ranks, in place: each rank gets the same bits.

        Args:
            tensors: of the same shapes on each rank, and of one type.

        Raises:
            RankLost: another rank has ended.
        """
        if self.is_alone or not tensors:
            return
        flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
        _sum_in_place(flat)
        parts = flat.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.detach().copy_(part.view(tensor.shape))

    def differentiable_sum(self, tensor: Tensor) -> Tensor:
        """Return the sum of a tensor over all ranks, as a part of autograd's graph.

        The objective of the training is the sum of the ranks' objectives.

        Raises:
            RankLost: another rank has ended.
        """
        return tensor if self.is_alone else _Sum.apply(tensor)


ALONE = Ranks()


@dataclass(frozen=True)
class Part:
    """What one rank computes of a batch."""

    samples: slice
    #: Whether the rank's outputs are the outputs of these samples; one rank's are.
    is_counted: bool = True
    #: How many ranks compute these samples.
    repeats: int = 1

    def share(self, weights_N: Tensor) -> Tensor:
        """Return the share of this part in a mean over the batch, a scalar.

        Args:
            weights_N: of all samples in the mean; all may be 0.
        """
        total = weights_N.sum().clamp(min=torch.finfo(weights_N.dtype).tiny)
        return weights_N[self.samples].sum() / total / self.repeats


@contextmanager
def join(rank: int, count: int, rendezvous: Path, device: torch.device) -> Iterator[Ranks]:
    """Wait for the other ranks, and leave the process group at the end of the block.

    Args:
        rank: of this process.
        count: of processes.
        rendezvous: a file that does not exist before, in a directory that only this user can read.
        device: of this process; the GPUs of the ranks differ.

    Raises:
        RankLost: another rank has ended.
    """
    if count == 1:
        yield ALONE
        return
    for name, value in LOOPBACK.items():
        os.environ[name] = value
    try:
        dist.init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            store=FileStore(str(rendezvous), count),
            rank=rank,
            world_size=count,
            timeout=TIMEOUT,
        )
    except RuntimeError as error:
        raise RankLost(str(error)) from error
    try:
        yield Ranks(rank, count)
    finally:
        dist.destroy_process_group()


def _sum_in_place(tensor: Tensor) -> None:
    try:
        dist.all_reduce(tensor)
    except RuntimeError as error:
        raise RankLost(str(error)) from error


class _Sum(torch.autograd.Function):
    """The sum over all ranks. It is its own derivative, as often as that is needed."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:  # noqa: ARG004
        total = values.clone()
        _sum_in_place(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:  # noqa: ARG004
        return _Sum.apply(grad_outputs[0].contiguous())
