"""How good a network is on a split. Axes: N samples, M outputs, K most probable classes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from worker.training.device_split import Batches
from worker.training.experiment import Experiment, Split
from worker.training.inference import mean_loss, predict_batches
from worker.training.penalties import Penalties
from worker.training.ranks import ALONE, Ranks
from worker.training.task import Regression
from worker.training.topk import are_finite, count_right, is_right, rank, ranking, valid_ks


@dataclass(frozen=True)
class Score:
    """The loss and the task's metrics on a split."""

    #: The mean over samples of the plain loss: no penalty, no smoothing.
    data_loss: float
    #: By their names without the split.
    metrics: dict[str, float]


@dataclass(frozen=True)
class Predictions:
    """The most probable classes of each sample, in the order of `topk.ranking`."""

    #: int64 [N]: the sample's index in the data set.
    indices: Tensor
    #: int64 [N]
    labels: Tensor
    #: bool [N]: whether the label is the first class with the highest score; see `topk`.
    is_right: Tensor
    #: int64 [N, K]
    classes: Tensor
    #: float32 [N, K]: NaN for a sample with a score that is not finite.
    probabilities: Tensor


@dataclass(frozen=True)
class ClassAccuracy:
    """The accuracy on the samples of one class."""

    label: int
    name: str
    #: Samples of this class, and the fraction of them that is right; None without samples.
    count: int
    accuracy: float | None


@dataclass(frozen=True)
class ClassificationEvaluation:
    """Everything that is known of a classifier on a split."""

    data_loss: float
    #: Ω of the weights, 0 without penalties.
    penalty: float
    accuracy: float
    #: By k, where ties count as in; for 1 at least the accuracy.
    top_k: dict[int, float]
    #: confusion[label][predicted], counts; a sample with a score that is not finite is in no cell.
    confusion: list[list[int]]
    per_class: tuple[ClassAccuracy, ...]
    predictions: Predictions


@dataclass(frozen=True)
class RegressionEvaluation:
    """Everything that is known of a regression on a split."""

    data_loss: float
    #: Ω of the weights, 0 without penalties.
    penalty: float
    #: Errors by name, and `r2`: 1 − Σ(y − f)² / Σ(y − ȳ)²; None if all y are equal.
    metrics: dict[str, float | None]
    #: int64 [N]: the sample's index in the data set.
    indices: Tensor
    #: float64 [N], in the target's own unit like all errors.
    targets: Tensor
    #: float64 [N], in the target's own unit.
    outputs: Tensor


@torch.inference_mode()
def score(
    experiment: Experiment,
    split: Batches,
    *,
    samples_N: Tensor | None = None,
    has_metrics: bool = False,
    ranks: Ranks = ALONE,
) -> Score:
    """Return the loss on a split or on some of its samples. The model stays in evaluation mode.

    Args:
        experiment: the model, its loss and arithmetic.
        split: the samples.
        samples_N: the indices of the samples to use, int64; None for all.
        has_metrics: whether to compute the task's metrics too.
        ranks: the processes that evaluate together; each must call this, and computes a part.
    """
    task = experiment.task
    statistics: list[Tensor] = []
    losses: list[Tensor] = []
    sizes: list[int] = []
    experiment.model.eval()
    count = len(split) if samples_N is None else len(samples_N)
    part = ranks.part(count)
    for outputs_NM, targets_N in predict_batches(
        experiment, experiment.model, split, samples_N, part
    ):
        losses.append(experiment.loss(outputs_NM, targets_N))
        sizes.append(len(targets_N))
        if has_metrics:
            statistics.append(task.statistics([outputs_NM], [targets_N]))
    if not ranks.is_alone:
        return _score_of_all(experiment, ranks, losses, sizes, statistics, has_metrics=has_metrics)
    metrics: dict[str, float] = {}
    if statistics:
        metrics = task.metrics(torch.cat(statistics).sum(0).tolist(), sum(sizes))
    return Score(mean_loss(losses, sizes), metrics)


def _score_of_all(
    experiment: Experiment,
    ranks: Ranks,
    losses: list[Tensor],
    sizes: list[int],
    statistics: list[Tensor],
    *,
    has_metrics: bool,
) -> Score:
    """Return the score on the samples of all ranks, from what this rank measured on its own."""
    count, task = sum(sizes), experiment.task
    sums = [float(count), count * mean_loss(losses, sizes) if losses else 0.0]
    own = torch.cat(statistics).sum(0).tolist() if statistics else [0.0] * task.statistic_count
    totals = torch.tensor([*sums, *own], dtype=torch.float64, device=experiment.device)
    ranks.sum([totals])
    samples, loss, *statistic_sums = totals.tolist()
    metrics = task.metrics(statistic_sums, int(samples)) if has_metrics else {}
    return Score(loss / samples, metrics)


@torch.inference_mode()
def evaluate_regression(
    experiment: Experiment, model: nn.Module, split: Split
) -> RegressionEvaluation:
    """Evaluate a regression on a split.

    Args:
        experiment: its loss, normalization and arithmetic.
        model: on the experiment's device; it stays in evaluation mode.
        split: the samples.
    """
    samples = experiment.on_device(split)
    losses: list[Tensor] = []
    outputs: list[Tensor] = []
    model.eval()
    for outputs_N1, targets_N in predict_batches(experiment, model, samples):
        losses.append(experiment.loss(outputs_N1, targets_N))
        outputs.append(outputs_N1)
    outputs_N = experiment.target_scale.unscaled(torch.cat(outputs).cpu().squeeze(1))
    targets_N, own_unit = split.labels.double(), Regression()
    sums = own_unit.statistics([outputs_N.unsqueeze(1)], [targets_N]).sum(0).tolist()
    squared_error = sums[1]
    spread = (targets_N - targets_N.mean()).square().sum().item()
    return RegressionEvaluation(
        data_loss=mean_loss(losses, [len(part) for part in outputs]),
        penalty=Penalties(model, experiment.regularizers).number(),
        metrics={
            **own_unit.metrics(sums, len(targets_N)),
            "r2": 1 - squared_error / spread if spread else None,
        },
        indices=split.indices,
        targets=targets_N,
        outputs=outputs_N,
    )


@torch.inference_mode()
def evaluate_classification(
    experiment: Experiment, model: nn.Module, split: Split, top_k: Iterable[int]
) -> ClassificationEvaluation:
    """Evaluate a classifier on a split.

    Args:
        experiment: its loss, normalization, classes and arithmetic.
        model: on the experiment's device; it stays in evaluation mode.
        split: the samples.
        top_k: the k of the top-k accuracies; those above the class count are left out. Predictions
            name as many classes as the highest k.
    """
    ks = valid_ks(top_k, experiment.classes)
    samples = experiment.on_device(split)
    losses: list[Tensor] = []
    sizes: list[int] = []
    ranks: list[Tensor] = []
    rights: list[Tensor] = []
    tops: list[Tensor] = []
    probabilities: list[Tensor] = []
    model.eval()
    for logits_NM, labels_N in predict_batches(experiment, model, samples):
        losses.append(experiment.loss(logits_NM, labels_N))
        sizes.append(len(labels_N))
        ranks.append(rank(logits_NM, labels_N))
        rights.append(is_right(logits_NM, labels_N))
        top_NK = ranking(logits_NM, labels_N)[:, : ks[-1]]
        is_unknown_N1 = ~are_finite(logits_NM).unsqueeze(1)
        tops.append(top_NK)
        probabilities.append(
            logits_NM.softmax(1).gather(1, top_NK).masked_fill(is_unknown_N1, torch.nan)
        )
    ranks_N, is_right_N = torch.cat(ranks).cpu(), torch.cat(rights).cpu()
    classes_NK = torch.cat(tops).cpu()
    probabilities_NK = torch.cat(probabilities).cpu()
    right_K = count_right(ranks_N, ks).tolist()
    accuracies = {k: right / len(ranks_N) for k, right in zip(ks, right_K, strict=True)}
    is_finite_N = are_finite(probabilities_NK)
    return ClassificationEvaluation(
        data_loss=mean_loss(losses, sizes),
        penalty=Penalties(model, experiment.regularizers).number(),
        accuracy=int(is_right_N.sum()) / len(is_right_N),
        top_k=accuracies,
        confusion=confusion_matrix(
            split.labels[is_finite_N], classes_NK[is_finite_N, 0], experiment.classes
        ),
        per_class=tuple(_per_class(is_right_N, split.labels, experiment.class_names)),
        predictions=Predictions(
            indices=split.indices,
            labels=split.labels,
            is_right=is_right_N,
            classes=classes_NK,
            probabilities=probabilities_NK,
        ),
    )


def confusion_matrix(labels_N: Tensor, predicted_N: Tensor, classes: int) -> list[list[int]]:
    """Return how often each label (row) was predicted as each class (column)."""
    cells = torch.bincount(labels_N * classes + predicted_N, minlength=classes**2)
    return cells.view(classes, classes).tolist()


def _per_class(
    is_right_N: Tensor, labels_N: Tensor, names: tuple[str, ...]
) -> Iterator[ClassAccuracy]:
    totals = torch.bincount(labels_N, minlength=len(names)).tolist()
    rights = torch.bincount(labels_N[is_right_N], minlength=len(names)).tolist()
    for label, (name, total, right) in enumerate(zip(names, totals, rights, strict=True)):
        yield ClassAccuracy(label, name, total, right / total if total else None)
