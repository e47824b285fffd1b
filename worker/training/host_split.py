"""A split that stays outside of the device: its batches are read by a thread, ahead of the step.

For data that do not fit next to the network. `DeviceSplit` gives the same batches, bit for bit.
Axes: N samples, H height, W width, C channels.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from worker.training.device_split import Batches, Normalization

#: Batches that are read ahead of the step that takes them.
AHEAD = 3


class HostImages(Protocol):
    """Images that are read when they are needed, such as the images of a mapped file."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W)."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, samples: Tensor | slice, /) -> Tensor:
        """Return some images, uint8 [n, C, H, W] in channels-last order. Called in a thread."""
        ...


@dataclass(frozen=True)
class _Reading:
    """A batch that is being read."""

    samples: Tensor | slice
    pixels: Future[Tensor]


class HostSplit(Batches):
    """Images of one split outside of the device, and its labels on it."""

    def __init__(
        self,
        images: HostImages,
        labels_N: Tensor,
        normalization: Normalization,
        device: torch.device,
    ) -> None:
        super().__init__(images.shape[1:], labels_N, normalization, device)
        self._images = images
        self._reader = ThreadPoolExecutor(1, "read-batches")
        self._announced: Iterator[tuple[Tensor | slice, Tensor | slice]] = iter(())
        self._ahead = deque[_Reading]()

    def announce(self, batches: Sequence[Tensor | slice]) -> None:
        """Start to read batches, in this order."""
        self._ahead.clear()
        self._announced = iter(list(zip(batches, _on_cpu(batches), strict=True)))
        for _ in range(AHEAD):
            self._read_next()

    def _pixels(self, samples: Tensor | slice) -> Tensor:
        if self._ahead and _is_same(self._ahead[0].samples, samples):
            reading = self._ahead.popleft()
            self._read_next()
            pixels_NHWC = reading.pixels.result()
        else:  # not as announced, such as half a batch where memory ran out
            self._ahead.clear()
            self._announced = iter(())
            pixels_NHWC = self._read(samples if isinstance(samples, slice) else samples.cpu())
        return pixels_NHWC.to(self.device, non_blocking=True)

    def _read_next(self) -> None:
        found = next(self._announced, None)
        if found is not None:
            samples, on_cpu = found
            self._ahead.append(_Reading(samples, self._reader.submit(self._read, on_cpu)))

    def _read(self, samples: Tensor | slice) -> Tensor:
        pixels_NHWC = self._images[samples].permute(0, 2, 3, 1).contiguous()
        # Only from pinned memory a GPU copies while it computes
        return pixels_NHWC.pin_memory() if self.device.type == "cuda" else pixels_NHWC


def _on_cpu(batches: Sequence[Tensor | slice]) -> list[Tensor | slice]:
    """Return the batches with their indices on the CPU, waiting for a GPU only once."""
    tensors = [batch for batch in batches if isinstance(batch, Tensor)]
    if not tensors:
        return list(batches)
    copied = iter(torch.cat(tensors).cpu().split([len(tensor) for tensor in tensors]))
    return [next(copied) if isinstance(batch, Tensor) else batch for batch in batches]


def _is_same(announced: Tensor | slice, samples: Tensor | slice) -> bool:
    """Return whether both are the same batch, without reading indices from a GPU.

    The announced tensors are kept, so no other tensor has their memory.
    """
    if isinstance(announced, slice) and isinstance(samples, slice):
        return announced == samples
    if isinstance(announced, slice) or isinstance(samples, slice):
        return False
    return announced.data_ptr() == samples.data_ptr() and len(announced) == len(samples)
