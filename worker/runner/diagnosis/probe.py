"""The network on a fixed sample: its loss, outputs, activations and gradients.

Nothing of the training changes: the probe draws no random numbers, leaves gradients and running
statistics alone, and computes in float32 whatever the training's precision.
Axes: N samples, M outputs.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from worker.diagnostics.readings import LayerReading, Reading
from worker.runner.diagnosis.layer_statistics import LayerSums, first_statistics, layer_statistics
from worker.training.evaluation_mode import evaluation_mode
from worker.training.experiment import Experiment, Split
from worker.training.replay import frozen_statistics
from worker.training.seed import derive
from worker.training.tensor_norms import absolute_sums, euclidean_norms

#: A unit counts as dead only over many samples. Convolutions repeat each weight at many positions,
#: so that they get fewer.
SAMPLES, SAMPLES_OF_CONVOLUTIONS = 256, 128


class Probe:
    """A sample of the training split, drawn from the job's seed by a stream of its own."""

    def __init__(self, experiment: Experiment, *, is_pretrained: bool = False) -> None:
        train = experiment.splits.train
        count = len(train.labels)
        has_convolutions = any(p.ndim == 4 for p in experiment.model.parameters())
        size = min(count, SAMPLES_OF_CONVOLUTIONS if has_convolutions else SAMPLES)
        generator = torch.Generator().manual_seed(derive(experiment.seed, "diagnostics", "sample"))
        indices_N = torch.randperm(count, generator=generator)[:size]
        self._experiment, self._is_pretrained = experiment, is_pretrained
        sample = Split(train.images[indices_N], train.labels[indices_N], train.indices[indices_N])
        self.sample = experiment.on_device(sample)
        self._batch_size = max(2, min(*(stage.batch_size for stage in experiment.stages), size))

    def read(self, *, step: int, epoch: int, has_own_statistics: bool = True) -> Reading:
        """Return what can be read of the network now; waits for the device.

        Args:
            step: the steps of the job so far.
            epoch: the epochs of the job so far.
            has_own_statistics: whether batch norm uses the statistics of the batch, as in
                training, and not the running statistics.
        """
        model, batches = self._experiment.model, [*self._batches()]
        samples = sum(batch.stop - batch.start for batch in batches)
        trained = {n: p for n, p in model.named_parameters() if p.requires_grad and p.ndim >= 2}
        gradients: dict[str, Tensor] = {}
        losses: list[Tensor] = []
        outputs: list[Tensor] = []
        with (
            evaluation_mode(model),
            torch.enable_grad(),
            layer_statistics(model) as sums,
            first_statistics(model, is_enabled=self._is_pretrained and step == 0) as shifts,
        ):
            norms = use_batch_statistics(model) if has_own_statistics else []
            with frozen_statistics(model) if norms else torch.enable_grad():
                for batch in batches:
                    images_NCHW, labels_N = self.sample.batch(batch)
                    outputs_NM = model(images_NCHW).float()
                    loss = self._experiment.loss(outputs_NM, labels_N) * (len(labels_N) / samples)
                    losses.append(loss.detach())
                    outputs.append(outputs_NM.detach())
                    parts = torch.autograd.grad(loss, [*trained.values()], allow_unused=True)
                    for name, part in zip(trained, parts, strict=True):
                        if part is not None:
                            # Not in place: autograd may return a tensor for two parameters.
                            gradients[name] = gradients[name] + part if name in gradients else part
        outputs_NM = torch.cat(outputs)
        return Reading(
            step=step,
            epoch=epoch,
            samples=samples,
            loss=torch.stack(losses).sum().item(),
            running_loss=self._running_loss(batches, samples) if norms else None,
            **_of_outputs(outputs_NM),
            **self._of_predictions(outputs_NM),
            unused=tuple(name for name in trained if name not in gradients),
            statistics_shift=torch.stack(shifts).mean().item() if shifts else None,
            layers=tuple(_layers(model, sums, gradients, is_initial=step == 0)),
        )

    def labels(self) -> Tensor:
        """Return the labels of the sample, or its scaled targets."""
        return self.sample.batch(slice(None))[1]

    def _batches(self) -> Iterator[slice]:
        """Yield parts no larger than a step's batch: the probe needs no more memory than a step."""
        count = -(-len(self.sample) // self._batch_size)
        size = -(-len(self.sample) // count)
        for first in range(0, len(self.sample), size):
            # Batch norm finds no variance in a last part of a single sample.
            if first == 0 or len(self.sample) - first > 1:
                yield slice(first, min(first + size, len(self.sample)))

    @torch.no_grad()
    def _running_loss(self, batches: list[slice], samples: int) -> float:
        model, total = self._experiment.model, 0.0
        with evaluation_mode(model):
            for batch in batches:
                images_NCHW, labels_N = self.sample.batch(batch)
                loss = self._experiment.loss(model(images_NCHW).float(), labels_N)
                total += loss.item() * len(labels_N) / samples
        return total

    def _of_predictions(self, outputs_NM: Tensor) -> dict[str, Any]:
        names = self._experiment.class_names
        if not names:
            return {}
        labels_N = self.labels()[: len(outputs_NM)]
        predicted_N = outputs_NM.argmax(1)
        counts_M = torch.nn.functional.one_hot(predicted_N, len(names)).sum(0)
        most = int(counts_M.argmax())
        return {
            "predicted_share": counts_M[most].item() / len(predicted_N),
            "true_share": (labels_N == most).float().mean().item(),
            "predicted_class": names[most],
            "accuracy": (predicted_N == labels_N).float().mean().item(),
        }


def use_batch_statistics(model: nn.Module) -> list[nn.Module]:
    """Let batch norm use the statistics of the batch; `evaluation_mode` switches it back."""
    norms = [layer for layer in model.modules() if isinstance(layer, _BatchNorm)]
    for layer in norms:
        layer.training = True
    return list(norms)


def _of_outputs(outputs_NM: Tensor) -> dict[str, float]:
    outputs_NM = outputs_NM.double()
    over_classes = outputs_NM.var(1, correction=0).mean()
    over_samples = outputs_NM.std(0, correction=0).mean()
    between_classes = outputs_NM.mean(0).std(correction=0)
    return {
        "output_variance": over_classes.item(),
        "output_spread": (over_samples / (between_classes + 1e-6)).item(),
    }


def _layers(
    model: nn.Module,
    sums: dict[str, LayerSums],
    gradients: dict[str, Tensor],
    *,
    is_initial: bool,
) -> Iterator[LayerReading]:
    """Yield the reading of each layer; everything is read from the device at once."""
    modules = dict(model.named_modules())
    rows: list[Tensor] = []
    for name, entry in sums.items():
        dead = torch.zeros((), dtype=torch.float64, device=entry.total[0].device)
        if entry.largest_U is not None:
            dead = (~(entry.largest_U > 0)).double().mean()
        flat = torch.stack(entry.flat).sum().double() if entry.flat else torch.zeros_like(dead)
        total, squares = torch.stack(entry.total).sum(), torch.stack(entry.squares).sum()
        norm, mean = _gradient(gradients.get(f"{name}.weight"), dead)
        equal = _symmetry(modules[name], dead) if is_initial else torch.zeros_like(dead)
        rows.append(torch.stack([total, squares, dead, flat, norm, mean, equal]))
    if not rows:
        return
    for (name, entry), row in zip(sums.items(), torch.stack(rows).tolist(), strict=True):
        total, squares, dead, flat, norm, gradient_mean, equal = row
        mean = total / entry.elements
        has_gradient = entry.function is None and f"{name}.weight" in gradients
        weight = getattr(modules[name], "weight", None)
        yield LayerReading(
            name=name,
            function=entry.function,
            mean=mean,
            deviation=max(0.0, squares / entry.elements - mean**2) ** 0.5
            if squares == squares  # noqa: PLR0124 - NaN stays NaN
            else squares,
            dead_share=None if entry.largest_U is None else dead,
            saturated_share=flat / entry.elements if entry.flat else None,
            gradient_norm=norm if has_gradient else None,
            gradient_mean=gradient_mean if has_gradient else None,
            units=len(weight) if entry.function is None and weight is not None else 0,
            is_symmetric=bool(equal),
            is_normalized=entry.is_normalized,
        )


def _gradient(gradient: Tensor | None, zero: Tensor) -> tuple[Tensor, Tensor]:
    if gradient is None:
        return torch.zeros_like(zero), torch.zeros_like(zero)
    norm, total = euclidean_norms([gradient])[0], absolute_sums([gradient])[0]
    return norm.to(zero), total.to(zero) / gradient.numel()


def _symmetry(layer: nn.Module, zero: Tensor) -> Tensor:
    """Return 1 where a layer has at least two units and all of them have the same weights."""
    weight = getattr(layer, "weight", None)
    if weight is None or weight.ndim < 2 or len(weight) < 2:
        return torch.zeros_like(zero)
    return (weight.detach() == weight.detach()[:1]).all().to(zero)
