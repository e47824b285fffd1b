"""Forward passes over a split, in batches that fit into memory. Axes: N samples, M outputs."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from worker.training.device_split import Batches
from worker.training.experiment import Experiment

#: Pixels of a channel in one batch. 64 images of 32x32 stay in a CPU's caches, which makes them
#: half as fast again as 256 images (measured on 2 cores); a GPU needs many at once.
BATCH_PIXELS = {"cpu": 2**16, "cuda": 2**21}
#: However large the images are, unless training batches are smaller.
MIN_BATCH_SIZE = 32


def predict_batches(
    experiment: Experiment,
    model: nn.Module,
    split: Batches,
    samples_N: Tensor | None = None,
    within: slice | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield outputs [n, M] and targets [n] of each batch.

    Where memory runs out, the batch is halved and so are those after it.

    Args:
        experiment: its arithmetic, and its stages' batch sizes.
        model: on the experiment's device; not put into evaluation mode here.
        split: the samples.
        samples_N: the indices of the samples to predict, int64; None for all.
        within: which of these samples; None for all.

    Raises:
        MemoryError, RuntimeError: not even one sample fits, or the network fails.
    """
    count = len(split) if samples_N is None else len(samples_N)
    start, stop, _ = (within or slice(None)).indices(count)
    size = _batch_size(experiment, split)
    parts = [slice(first, min(first + size, stop)) for first in range(start, stop, size)]
    split.announce(parts if samples_N is None else [samples_N[part] for part in parts])
    while start < stop:
        part = slice(start, min(start + size, stop))
        batch = part if samples_N is None else samples_N[part]
        try:
            predicted = _forward(experiment, model, split, batch)
        except (MemoryError, RuntimeError):
            # An error of another kind does not go away in a batch of one, and is raised there
            if size == 1:
                raise
            size //= 2
            continue  # by now nothing holds the batch's memory, not even the error
        yield predicted
        start += size


def mean_loss(losses: list[Tensor], sizes: list[int]) -> float:
    """Return the mean over samples of the mean losses of batches, summed in float64."""
    means = torch.stack(losses).tolist()
    return sum(size * mean for size, mean in zip(sizes, means, strict=True)) / sum(sizes)


def _forward(
    experiment: Experiment, model: nn.Module, split: Batches, batch: Tensor | slice
) -> tuple[Tensor, Tensor]:
    images_NCHW, targets_N = split.batch(batch)
    with experiment.arithmetic.autocast():
        outputs_NM = model(images_NCHW)
    return outputs_NM.float(), targets_N


def _batch_size(experiment: Experiment, split: Batches) -> int:
    """Return a batch size that suits the device, whatever the batch size of training."""
    largest = max(stage.batch_size for stage in experiment.stages)
    return batch_size_for(split.height, split.width, split.device.type, largest_batch=largest)


def batch_size_for(height: int, width: int, device_type: str, *, largest_batch: int) -> int:
    """Return how many images pass through a network at once, without gradients.

    Args:
        height: of an image.
        width: of an image.
        device_type: cpu or cuda.
        largest_batch: the largest batch of the training, which fits with gradients.
    """
    pixels = BATCH_PIXELS.get(device_type, BATCH_PIXELS["cpu"])
    return max(min(MIN_BATCH_SIZE, largest_batch), pixels // (height * width))
