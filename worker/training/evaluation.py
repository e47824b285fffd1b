"""How good a network is on a split, in evaluation mode. Axes: N samples, M outputs, K top ones."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from worker.training.device_split import DeviceSplit
from worker.training.experiment import Experiment, Split
from worker.training.topk import are_finite, count_right, rank, ranking, valid_ks

#: Pixels a channel in one batch: 64 images of 32x32 stay in a CPU's caches, which makes them
#: half as fast again as 256 (measured on 2 cores); a GPU wants many at once.
BATCH_PIXELS = {"cpu": 2**16, "cuda": 2**21}
#: However large the images are, unless the training's own batches are smaller.
SMALLEST_BATCH = 32


@dataclass(frozen=True)
class Score:
    """Loss and further figures of a split."""

    #: The mean over samples of the plain loss: no penalty, no smoothing.
    data_loss: float
    #: What the target says, by name: accuracies or errors.
    metrics: dict[str, float]


@dataclass(frozen=True)
class Predictions:
    """The most probable classes of each sample, in the order of `topk.ranking`."""

    #: int64 [N]: where each sample lies in the data set.
    indices: Tensor
    #: int64 [N]
    labels: Tensor
    #: bool [N]: whether no class scores more than the label, and every score is finite.
    is_right: Tensor
    #: int64 [N, K]
    classes: Tensor
    #: float32 [N, K]: NaN for a sample with a score that is not finite.
    probabilities: Tensor


@dataclass(frozen=True)
class ClassAccuracy:
    """How one class fares."""

    label: int
    name: str
    #: Samples of this class, and the fraction of them that is right; None without samples.
    count: int
    accuracy: float | None


@dataclass(frozen=True)
class Evaluation:
    """What a checkpoint is worth on a split."""

    loss: float
    accuracy: float
    top_k: dict[int, float]
    #: confusion[label][predicted], counts; a sample with a score that is not finite is nowhere.
    confusion: list[list[int]]
    per_class: tuple[ClassAccuracy, ...]
    predictions: Predictions


@torch.inference_mode()
def score(
    experiment: Experiment,
    split: DeviceSplit,
    *,
    chosen: Tensor | None = None,
    is_counted: bool = False,
) -> Score:
    """Loss and further figures on a split or on some of its samples.

    The model is left in evaluation mode.

    Args:
        experiment: the model, its loss and arithmetic.
        split: the samples.
        chosen: which of them, int64; None for all.
        is_counted: whether more than the loss is wanted: accuracies or errors.
    """
    task = experiment.task
    statistics: list[Tensor] = []
    losses: list[Tensor] = []
    sizes: list[int] = []
    experiment.model.eval()
    for outputs_NM, targets_N in _outputs(experiment, experiment.model, split, chosen):
        losses.append(experiment.loss(outputs_NM, targets_N))
        sizes.append(len(targets_N))
        if is_counted:
            statistics.append(task.statistics([outputs_NM], [targets_N]))
    metrics = task.metrics(torch.cat(statistics).sum(0).tolist(), sum(sizes)) if statistics else {}
    return Score(_mean(losses, sizes), metrics)


@dataclass(frozen=True)
class RegressionEvaluation:
    """What a checkpoint is worth on a split where a number is asked for."""

    loss: float
    #: Errors by name, and `r2`: 1 − Σ(y − f)² / Σ(y − ȳ)²; None where all y are the same.
    metrics: dict[str, float | None]
    #: int64 [N], where each sample lies in the data set; float32 [N] twice.
    indices: Tensor
    targets: Tensor
    outputs: Tensor


@torch.inference_mode()
def evaluate_regression(
    experiment: Experiment, model: nn.Module, split: Split
) -> RegressionEvaluation:
    """Everything there is to say of a model on a split where a number is asked for.

    Args:
        experiment: its loss, normalisation and arithmetic.
        model: what is evaluated, on the experiment's device; left in evaluation mode.
        split: the samples.
    """
    resident = DeviceSplit(split.images, split.labels, experiment.normalization, experiment.device)
    losses: list[Tensor] = []
    outputs: list[Tensor] = []
    model.eval()
    for outputs_N1, targets_N in _outputs(experiment, model, resident):
        losses.append(experiment.loss(outputs_N1, targets_N))
        outputs.append(outputs_N1)
    outputs_N1 = torch.cat(outputs).cpu()
    task = experiment.task
    sums = task.statistics([outputs_N1], [split.labels]).sum(0).tolist()
    spread = (split.labels.double() - split.labels.double().mean()).square().sum().item()
    measured = task.metrics(sums, len(split.labels))
    return RegressionEvaluation(
        loss=_mean(losses, [len(part) for part in outputs]),
        metrics={**measured, "r2": 1 - sums[1] / spread if spread else None},
        indices=split.indices,
        targets=split.labels,
        outputs=outputs_N1.squeeze(1),
    )


@torch.inference_mode()
def evaluate(
    experiment: Experiment, model: nn.Module, split: Split, top_k: Iterable[int]
) -> Evaluation:
    """Everything there is to say of a model on a split.

    Args:
        experiment: its loss, normalisation, classes and arithmetic.
        model: what is evaluated, on the experiment's device; left in evaluation mode.
        split: the samples.
        top_k: which top-k accuracies; those above the class count are left out. The highest is
            how many classes the predictions name.
    """
    ks = valid_ks(top_k, experiment.classes)
    resident = DeviceSplit(split.images, split.labels, experiment.normalization, experiment.device)
    losses: list[Tensor] = []
    sizes: list[int] = []
    ranks: list[Tensor] = []
    tops: list[Tensor] = []
    probabilities: list[Tensor] = []
    model.eval()
    for logits_NM, labels_N in _outputs(experiment, model, resident):
        losses.append(experiment.loss(logits_NM, labels_N))
        sizes.append(len(labels_N))
        ranks.append(rank(logits_NM, labels_N))
        top_NK = ranking(logits_NM, labels_N)[:, : ks[-1]]
        unknown_N1 = ~are_finite(logits_NM).unsqueeze(1)
        tops.append(top_NK)
        probabilities.append(
            logits_NM.softmax(1).gather(1, top_NK).masked_fill(unknown_N1, torch.nan)
        )
    ranks_N, classes_NK = torch.cat(ranks).cpu(), torch.cat(tops).cpu()
    probabilities_NK = torch.cat(probabilities).cpu()
    right_K = count_right(ranks_N, ks).tolist()
    accuracies = {k: right / len(ranks_N) for k, right in zip(ks, right_K, strict=True)}
    is_finite_N = are_finite(probabilities_NK)
    return Evaluation(
        loss=_mean(losses, sizes),
        accuracy=accuracies[1],
        top_k=accuracies,
        confusion=confusion(
            split.labels[is_finite_N], classes_NK[is_finite_N, 0], experiment.classes
        ),
        per_class=tuple(_per_class(ranks_N, split.labels, experiment.class_names)),
        predictions=Predictions(
            indices=split.indices,
            labels=split.labels,
            is_right=ranks_N < 1,
            classes=classes_NK,
            probabilities=probabilities_NK,
        ),
    )


def confusion(labels_N: Tensor, predicted_N: Tensor, classes: int) -> list[list[int]]:
    """How often each label (row) was taken for each class (column)."""
    cells = torch.bincount(labels_N * classes + predicted_N, minlength=classes**2)
    return cells.view(classes, classes).tolist()


def _per_class(
    ranks_N: Tensor, labels_N: Tensor, names: tuple[str, ...]
) -> Iterator[ClassAccuracy]:
    is_right_N = ranks_N < 1
    totals = torch.bincount(labels_N, minlength=len(names)).tolist()
    rights = torch.bincount(labels_N[is_right_N], minlength=len(names)).tolist()
    for label, (name, total, right) in enumerate(zip(names, totals, rights, strict=True)):
        yield ClassAccuracy(label, name, total, right / total if total else None)


def _outputs(
    experiment: Experiment, model: nn.Module, split: DeviceSplit, chosen: Tensor | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Outputs [n, M] and targets [n], batch by batch; by smaller ones once memory runs out."""
    samples = len(split) if chosen is None else len(chosen)
    size = _batch_size(experiment, split)
    start = 0
    while start < samples:
        part = slice(start, start + size)
        try:
            found = _forward(experiment, model, split, part if chosen is None else chosen[part])
        except (MemoryError, RuntimeError):
            # Of whatever kind: one that is not due to the batch's size, a batch of one has as well
            if size == 1:
                raise
            size //= 2
            continue  # here nothing holds the batch's memory any more, not even the error
        yield found
        start += size


def _forward(
    experiment: Experiment, model: nn.Module, split: DeviceSplit, batch: Tensor | slice
) -> tuple[Tensor, Tensor]:
    images_NCHW, targets_N = split.batch(batch)
    with experiment.arithmetic.autocast():
        outputs_NM = model(images_NCHW)
    return outputs_NM.float(), targets_N


def _batch_size(experiment: Experiment, split: DeviceSplit) -> int:
    """As many as suit the device, whatever the training's batch size."""
    _, height, width, _ = split.images_NHWC.shape
    pixels = BATCH_PIXELS.get(split.images_NHWC.device.type, BATCH_PIXELS["cpu"])
    largest = max(stage.batch_size for stage in experiment.stages)
    return max(min(SMALLEST_BATCH, largest), pixels // (height * width))


def _mean(losses: list[Tensor], sizes: list[int]) -> float:
    """The mean over samples of means over batches, summed in float64."""
    means = torch.stack(losses).tolist()
    return sum(size * mean for size, mean in zip(sizes, means, strict=True)) / sum(sizes)
