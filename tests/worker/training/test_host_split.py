"""Data outside of the device: read ahead by a thread, with the bits of data on the device."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.worker.experiments import data, ended_epochs, experiment, split, vgg
from worker.data.job_data import Data
from worker.data.mapped_images import MappedImages
from worker.training.device_split import DeviceSplit, Normalization
from worker.training.experiment import Experiment, Split, Splits
from worker.training.fit import fit
from worker.training.host_split import AHEAD, HostSplit
from worker.training.reports import Fitted, Stepped

CPU = torch.device("cpu")
NORMALIZATION = Normalization((0.4, 0.5, 0.6), (0.2, 0.3, 0.1))
FIELDS = {
    "architecture": vgg(),
    "augmentation": {"rotation": {"degrees": 20}, "horizontal_flip": {}},
    "regularizers": {"mixup": {"alpha": 0.2}, "vat": {"weight": 0.1}},
}


class Recorded(MappedImages):
    """Mapped images that remember what was read, and fail at a sample."""

    fails_at: int | None = None

    def __init__(self, images: np.ndarray, indices: np.ndarray) -> None:
        super().__init__(images, indices)
        self.read: list[Tensor | slice] = []

    def __getitem__(self, samples: Tensor | slice, /) -> Tensor:
        self.read.append(samples)
        if isinstance(samples, Tensor) and self.fails_at in samples.tolist():
            raise OSError(5, "The file cannot be read.")
        return super().__getitem__(samples)


def _on_host(resident: Split) -> Split:
    """Return the same split, scattered in a larger array."""
    assert isinstance(resident.images, Tensor)
    count = len(resident.labels)
    images = np.zeros((2 * count, *resident.images.shape[1:]), np.uint8)
    indices = np.random.default_rng(0).permutation(2 * count)[:count]
    images[indices] = resident.images.numpy()
    return replace(resident, images=Recorded(images, indices))


def _bundle(resident: Data) -> Data:
    splits = resident.splits
    parts = (splits.train, splits.validation, splits.test)
    return replace(resident, splits=Splits(*map(_on_host, parts)))


def _weights(training: Experiment) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in training.model.state_dict().items()}


def test_training_ends_in_the_same_bits() -> None:
    resident = experiment(bundle=data(), **FIELDS)
    on_host = experiment(bundle=_bundle(data()), **FIELDS)
    assert on_host.normalization == resident.normalization
    first, second = ended_epochs(resident), ended_epochs(on_host)
    for epoch, other in zip(first, second, strict=True):
        expected = {k: v for k, v in epoch.metrics.items() if k not in _MEASURED}
        assert {k: v for k, v in other.metrics.items() if k not in _MEASURED} == expected
    weights = _weights(on_host)
    for name, tensor in _weights(resident).items():
        assert torch.equal(weights[name], tensor), name


_MEASURED = {"seconds", "images_per_second"}


@pytest.mark.parametrize("step", [1, 5, 8])
def test_training_resumes_in_the_same_bits(step: int) -> None:
    whole = experiment(bundle=_bundle(data()), **FIELDS)
    list(fit(whole))
    begun = experiment(bundle=_bundle(data()), **FIELDS)
    for report in fit(begun):
        if isinstance(report, Stepped) and report.step == step:
            state = report.snapshot()
            break
    else:
        raise AssertionError("The step is not reached")
    resumed = experiment(bundle=_bundle(data()), **FIELDS)
    assert isinstance(list(fit(resumed, state=state))[-1], Fitted)
    for name, tensor in _weights(whole).items():
        assert torch.equal(_weights(resumed)[name], tensor), name
    train, gap_sample = resumed.splits.train.images, len(resumed.splits.validation.labels)
    assert isinstance(train, Recorded)
    samples = sum(len(part) for part in train.read if isinstance(part, Tensor))
    epochs = 3 - (step - 1) // 4
    assert samples == (12 - step) * 8 + epochs * gap_sample, "no batch is read in vain"


def _splits(samples: int = 20) -> tuple[HostSplit, DeviceSplit, Recorded]:
    resident = split(samples, seed=1)
    assert isinstance(resident.images, Tensor)
    images = _on_host(resident).images
    assert isinstance(images, Recorded)
    on_host = HostSplit(images, resident.labels, NORMALIZATION, CPU)
    return on_host, DeviceSplit(resident.images, resident.labels, NORMALIZATION, CPU), images


def _assert_equal(found: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor]) -> None:
    assert torch.equal(found[0], expected[0])
    assert found[0].stride() == expected[0].stride()
    assert torch.equal(found[1], expected[1])


def test_batches_are_read_before_they_are_requested() -> None:
    on_host, resident, images = _splits()
    batches = torch.randperm(20).split(2)
    on_host.announce(batches)
    for number, batch in enumerate(batches):
        on_host._ahead[-1].pixels.result()
        assert len(images.read) == min(len(batches), number + AHEAD)
        _assert_equal(on_host.batch(batch), resident.batch(batch))
    assert len(images.read) == len(batches), "each batch is read once"


@pytest.mark.parametrize("batch", [slice(3, 9), torch.tensor([4, 4, 1])])
def test_batch_that_was_not_announced_is_right_too(batch: Tensor | slice) -> None:
    on_host, resident, _ = _splits()
    on_host.announce(torch.arange(20).split(3))
    _assert_equal(on_host.batch(batch), resident.batch(batch))
    _assert_equal(on_host.batch(torch.arange(3)), resident.batch(torch.arange(3)))


def test_announcement_replaces_the_previous_announcement() -> None:
    on_host, resident, images = _splits()
    on_host.announce([slice(0, 4), slice(4, 8)])
    second = [slice(8, 12), slice(0, 4)]
    on_host.announce(second)
    for batch in second:
        _assert_equal(on_host.batch(batch), resident.batch(batch))
    assert len(images.read) == 4, "the second announcement is read ahead as well"


def test_error_of_the_thread_is_raised_at_its_batch() -> None:
    on_host, resident, images = _splits()
    images.fails_at = 5
    batches = torch.arange(20).split(4)
    on_host.announce(batches)
    _assert_equal(on_host.batch(batches[0]), resident.batch(batches[0]))
    with pytest.raises(OSError, match="cannot be read"):
        on_host.batch(batches[1])
    _assert_equal(on_host.batch(batches[2]), resident.batch(batches[2]))
