"""What defaults could be chosen from: memory formats, compilation, graphs, augmentation."""

import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.bare_loop import vgg_small
from benchmarks.gpu.result import Result
from benchmarks.gpu.subject import CHANNELS, IMAGE_SIZE, Subject
from worker.augmentations.compose import compose
from worker.registry import augmentations

PART = "options"
BATCH_SIZES = (32, 512)
#: What a lesson on augmentation combines.
AUGMENTATION = ("rotation", "width_shift", "height_shift", "zoom", "horizontal_flip")


def measure(subject: Subject) -> Iterator[Result]:
    """Yield images per second of the small network and of augmentation, by option."""
    device = torch.device(subject.device)
    seconds = 1.0 if subject.is_gpu else 0.2
    for size, batch_size in ((32, 512), (224, 128)):
        yield _augmentation(device, size, batch_size if subject.is_gpu else 16, seconds)
    batch_sizes = BATCH_SIZES if subject.is_gpu else BATCH_SIZES[:1]
    for batch_size in batch_sizes:
        for name, channels_last in (("channels-last", True), ("contiguous", False)):
            step = _Step(device, batch_size, channels_last=channels_last)
            yield _rate(name, batch_size, step, seconds)
    if not subject.is_gpu:
        return
    for batch_size in batch_sizes:
        step = _Step(device, batch_size)
        yield _rate("CUDA graph", batch_size, step.as_graph(), seconds)
    for batch_size in batch_sizes:
        step = _Step(device, batch_size)
        began = time.perf_counter()
        step.network = torch.compile(step.network)
        step()
        torch.cuda.synchronize()
        yield Result(PART, "seconds to compile", time.perf_counter() - began, "s")
        yield _rate("torch.compile", batch_size, step, seconds)


class _Step:
    """A training step of the small network on images that are already on the device."""

    def __init__(
        self, device: torch.device, batch_size: int, *, channels_last: bool = True
    ) -> None:
        order = torch.channels_last if channels_last else torch.contiguous_format
        network = vgg_small(CHANNELS, IMAGE_SIZE).to(device)
        network.to(memory_format=order)  # pyright: ignore[reportCallIssue] - missing in its stub
        self.network: Callable[[Tensor], Tensor] = network
        self.optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, fused=True)
        shape = (batch_size, CHANNELS, IMAGE_SIZE, IMAGE_SIZE)
        self.images = torch.rand(shape, device=device).contiguous(memory_format=order)
        self.labels = torch.arange(batch_size, device=device) % 10

    def __call__(self) -> None:
        loss = functional.cross_entropy(self.network(self.images), self.labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()

    def as_graph(self) -> Callable[[], None]:
        """Return the step as a CUDA graph, whose kernels are launched all at once."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self()
        return graph.replay


def _rate(name: str, batch_size: int, step: Callable[[], None], seconds: float) -> Result:
    label = f"small network, batch {batch_size}, {name}"
    return Result(PART, label, batch_size * _repetitions(step, seconds) / seconds, "images/s")


def _augmentation(device: torch.device, size: int, batch_size: int, seconds: float) -> Result:
    entries = augmentations.entries()
    augment = compose({name: entries[name].defaults for name in AUGMENTATION})
    assert augment is not None
    pixels = torch.randint(0, 256, (batch_size, CHANNELS, size, size), device=device).float()
    rate = batch_size * _repetitions(lambda: augment(pixels), seconds) / seconds
    return Result(PART, f"augmentation at {size} px, batch {batch_size}", rate, "images/s")


def _repetitions(call: Callable[[], object], seconds: float) -> float:
    """Return how often a call is repeated in some seconds, after a warm-up."""
    for _ in range(5):
        call()
    _wait()
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        for _ in range(10):
            call()
        count += 10
        _wait()
    return count * seconds / (time.perf_counter() - began)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
