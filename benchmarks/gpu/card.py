"""The GPU: what NVML says of it, and the two speeds that bound all work on it."""

from collections.abc import Callable
from dataclasses import dataclass

import pynvml
import torch

#: Bytes of a copy and side of a matrix: large enough to fill any card.
COPY_BYTES, SIDE = 2**30, 8192
#: What `used_mib` may show more than before a job, as drivers keep a little.
SLACK_MIB = 64


class NoCard(Exception):
    """There is no GPU to check; the text says why."""


@dataclass(frozen=True)
class Card:
    """An NVIDIA GPU."""

    name: str
    uuid: str
    memory_mib: int
    driver: str


def find_card() -> Card:
    """Return the first GPU of this machine.

    Raises:
        NoCard: there is none, or the installed torch cannot use it.
    """
    try:
        pynvml.nvmlInit()
        if not pynvml.nvmlDeviceGetCount():
            raise NoCard("this machine has no NVIDIA GPU")
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        card = Card(
            name=str(pynvml.nvmlDeviceGetName(handle)),
            uuid=str(pynvml.nvmlDeviceGetUUID(handle)),
            memory_mib=int(pynvml.nvmlDeviceGetMemoryInfo(handle).total) // 2**20,
            driver=str(pynvml.nvmlSystemGetDriverVersion()),
        )
    except pynvml.NVMLError as error:
        raise NoCard(f"this machine has no NVIDIA GPU that answers ({error})") from error
    if torch.version.cuda is None:
        raise NoCard(
            f"torch {torch.__version__} is built without CUDA, so it cannot use {card.name}"
        )
    return card


def used_mib() -> float:
    """Return the memory in use on the first GPU, by all processes, in MiB."""
    handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    return int(pynvml.nvmlDeviceGetMemoryInfo(handle).used) / 2**20


def compute_pids() -> set[int]:
    """Return the processes that use the first GPU."""
    handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    return {process.pid for process in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)}


def peak_flops(dtype: torch.dtype) -> float:
    """Return the operations per second of a large matrix product, as convolutions compute.

    Convolutions in float32 use TensorFloat-32 by PyTorch's default.
    """
    left, right = (torch.randn(SIDE, SIDE, device="cuda", dtype=dtype) for _ in range(2))
    was_allowed = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
    try:
        return 2 * SIDE**3 / _seconds(lambda: left @ right)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = was_allowed


def bandwidth() -> float:
    """Return the bytes per second that a large copy reads and writes."""
    source = torch.empty(COPY_BYTES, dtype=torch.uint8, device="cuda").random_()
    target = torch.empty_like(source)
    return 2 * COPY_BYTES / _seconds(lambda: target.copy_(source))


def _seconds(call: Callable[[], object], *, repetitions: int = 10) -> float:
    for _ in range(3):
        call()
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(repetitions):
        call()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1000 / repetitions
