"""What can be read of the data before the training. Axes: N samples, C channels."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from worker.diagnostics.readings import DataReading, SplitReading
from worker.runner.diagnosis.batches_reading import read_batches
from worker.training.experiment import Experiment, Split

#: The samples of each split whose inputs are measured.
MEASURED = 500
#: Larger data sets are not searched for repeated images in `standard`.
MAX_BYTES = 100 * 2**20


def read_data(experiment: Experiment, *, seconds: float) -> DataReading:
    """Return what the splits have: counts, scale of the inputs, repeated images.

    Args:
        experiment: the job's.
        seconds: the limit of time for the search for repeated images; it is left out beyond.
    """
    splits, deadline = experiment.splits, time.monotonic() + seconds
    by_name = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    images = splits.train.images
    is_image = isinstance(images, Tensor) and images.dtype == torch.uint8
    digests = _digests(by_name, deadline) if is_image else None
    return DataReading(
        splits={name: _split(experiment, split) for name, split in by_name.items()},
        class_names=experiment.class_names,
        is_image=is_image,
        shared=None if digests is None else _shared(digests),
        conflicting=None
        if digests is None or not experiment.class_names
        else _conflicting(digests["train"], splits.train.labels.tolist()),
        constant=_constant(images) if is_image and isinstance(images, Tensor) else None,
        is_grey=is_image and isinstance(images, Tensor) and _is_grey(images),
        parameters=sum(p.numel() for p in experiment.model.parameters() if p.requires_grad),
        batches=read_batches(experiment) if experiment.class_names else None,
        expected=_expected(experiment),
    )


def _expected(experiment: Experiment) -> SplitReading | None:
    """Return the training inputs as the weights that are fine-tuned expect them."""
    own = experiment.weights_normalization
    if own is None:
        return None
    return _split(replace(experiment, normalization=own), experiment.splits.train)


def _split(experiment: Experiment, split: Split) -> SplitReading:
    counts: tuple[int, ...] = ()
    if experiment.class_names:
        labels_N = split.labels.long()
        counts = tuple(torch.bincount(labels_N, minlength=len(experiment.class_names)).tolist())
    generator = torch.Generator().manual_seed(0)
    order_N = torch.randperm(len(split.labels), generator=generator)[:MEASURED]
    sample = Split(split.images[order_N], split.labels[order_N], split.indices[order_N])
    inputs_NCHW = experiment.on_device(sample).batch(slice(None))[0].double()
    variances_C, means_C = torch.var_mean(inputs_NCHW, (0, 2, 3), correction=0)
    return SplitReading(
        samples=len(split.labels),
        counts=counts,
        means=tuple(means_C.tolist()),
        deviations=tuple(variances_C.sqrt().tolist()),
        largest=inputs_NCHW.abs().max().item(),
        measured=len(order_N),
    )


def _digests(splits: dict[str, Split], deadline: float) -> dict[str, list[int]] | None:
    """Return a digest of the pixels of each image; None where there are too many."""
    tensors = [split.images for split in splits.values()]
    if sum(t.nbytes if isinstance(t, Tensor) else MAX_BYTES + 1 for t in tensors) > MAX_BYTES:
        return None
    digests: dict[str, list[int]] = {}
    for name, split in splits.items():
        assert isinstance(split.images, Tensor)
        digests[name] = [hash(image) for image in _pixels(split.images)]
        if time.monotonic() > deadline:
            return None
    return digests


def _pixels(images_NCHW: Tensor) -> Iterator[bytes]:
    flat = images_NCHW.contiguous().flatten(1).numpy()
    for image in flat:
        yield image.tobytes()


def _shared(digests: dict[str, list[int]]) -> dict[str, int]:
    known = set(digests["train"])
    return {
        name: sum(digest in known for digest in digests[name]) for name in ("validation", "test")
    }


def _conflicting(digests: list[int], labels: list[int]) -> int:
    pairs = Counter(digest for digest, _ in {*zip(digests, labels, strict=True)})
    return sum(pairs[digest] > 1 for digest in digests)


def _constant(images_NCHW: Tensor) -> int:
    flat = images_NCHW.flatten(1)
    return int((flat.amin(1) == flat.amax(1)).sum())


def _is_grey(images_NCHW: Tensor) -> bool:
    return images_NCHW.shape[1] == 3 and bool((images_NCHW == images_NCHW[:, :1]).all())
