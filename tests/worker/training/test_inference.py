"""The size of batches in evaluation, and what happens if one does not fit into memory."""

import weakref
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from tests.worker.experiments import CLASSES, data, experiment, split
from worker.training.device_split import DeviceSplit
from worker.training.evaluation import evaluate_classification, evaluate_regression, score
from worker.training.experiment import CheckpointRules, Experiment

SAMPLES = 23


class Bounded(nn.Module):
    """A network that runs out of memory for more samples than a bound."""

    def __init__(self, bound: int = 10**9, outputs: int = CLASSES, error: str = "") -> None:
        super().__init__()
        self.bound, self.outputs, self.error = bound, outputs, error
        self.sizes: list[int] = []
        self.failed: weakref.ref[Tensor] | None = None

    def forward(self, images_NCHW: Tensor) -> Tensor:
        assert self.failed is None or self.failed() is None, (
            "The previous batch is still in memory."
        )
        if len(images_NCHW) > self.bound:
            self.failed = weakref.ref(images_NCHW)
            if self.error:
                raise RuntimeError(self.error)
            raise torch.OutOfMemoryError("CUDA out of memory.")
        self.sizes.append(len(images_NCHW))
        return images_NCHW.mean((1, 3))[:, : self.outputs]


def _experiment(model: nn.Module, *, size: int = 8, batch_size: int = 8) -> Experiment:
    training = experiment(bundle=data(size=size), training={"batch_size": batch_size})
    return replace(training, model=model)


def _resident(training: Experiment, *, size: int = 8) -> DeviceSplit:
    samples = split(SAMPLES, seed=5, size=size)
    return DeviceSplit(samples.images, samples.labels, training.normalization, training.device)


class TestOutOfMemory:
    @pytest.mark.parametrize("bound", [1, 5, 22])
    def test_results_are_the_same(self, bound: int) -> None:
        samples = split(SAMPLES, seed=5)
        training = _experiment(Bounded())
        tight = Bounded(bound)
        whole = evaluate_classification(training, Bounded(), samples, (1, 5))
        parts = evaluate_classification(training, tight, samples, (1, 5))
        assert parts.confusion == whole.confusion
        assert (parts.top_k, parts.per_class) == (whole.top_k, whole.per_class)
        assert parts.data_loss == pytest.approx(whole.data_loss)
        for name, tensor in vars(whole.predictions).items():
            assert torch.equal(getattr(parts.predictions, name), tensor), name
        assert sum(tight.sizes) == SAMPLES

    @pytest.mark.parametrize("samples_N", [None, torch.tensor([3, 1, 4, 1, 5, 9, 2, 6])])
    def test_validation_continues_with_half_the_batch(self, samples_N: Tensor | None) -> None:
        whole, tight = _experiment(Bounded()), _experiment(model := Bounded(3))
        expected = score(whole, _resident(whole), samples_N=samples_N, has_metrics=True)
        found = score(tight, _resident(tight), samples_N=samples_N, has_metrics=True)
        assert found.metrics == expected.metrics
        assert found.data_loss == pytest.approx(expected.data_loss)
        assert max(model.sizes) == 2, "1024, 512, … 4, 2"

    def test_regression_is_evaluated_too(self) -> None:
        samples = split(SAMPLES, seed=5)
        samples = replace(samples, labels=samples.labels.float())
        training = experiment(bundle=data())
        rules = CheckpointRules()
        training = replace(training, class_names=(), loss=_squares, checkpoints=rules)
        whole = evaluate_regression(training, Bounded(outputs=1), samples)
        parts = evaluate_regression(training, Bounded(4, outputs=1), samples)
        assert torch.equal(parts.outputs, whole.outputs)
        assert parts.data_loss == pytest.approx(whole.data_loss)

    def test_single_sample_that_does_not_fit_is_an_error(self) -> None:
        training = _experiment(Bounded(0))
        with pytest.raises(torch.OutOfMemoryError):
            score(training, _resident(training))

    def test_error_of_the_cpu_allocator_is_recognized(self) -> None:
        training = _experiment(model := Bounded(5, error="DefaultCPUAllocator: can't allocate"))
        score(training, _resident(training))
        assert sum(model.sizes) == SAMPLES

    def test_error_of_another_kind_is_raised_unchanged(self) -> None:
        training = _experiment(Bounded(0, error="mat1 and mat2 shapes cannot be multiplied"))
        with pytest.raises(RuntimeError, match="mat1 and mat2"):
            score(training, _resident(training))


def _squares(outputs_N1: Tensor, targets_N: Tensor) -> Tensor:
    return (outputs_N1.squeeze(1) - targets_N).square().mean()


@pytest.mark.parametrize(
    ("size", "batch_size", "largest"),
    [
        (8, 2, 1024),  # small images stay in a CPU's caches
        (32, 2, 64),
        (64, 128, 32),
        (64, 32, 32),
        (64, 20, 20),  # large images: not more than a training batch
        (64, 2, 16),
    ],
)
def test_batch_size_suits_the_cpu(size: int, batch_size: int, largest: int) -> None:
    training = _experiment(model := Bounded(), size=size, batch_size=batch_size)
    samples = split(1100 if size == 8 else 70, seed=5, size=size)
    evaluate_classification(training, model, samples, (1,))
    assert model.sizes[0] == largest
