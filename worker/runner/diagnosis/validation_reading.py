"""The network at the end of the training, on samples of the validation split.

Axes: N samples, M classes, D inputs.
"""

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, one_hot

from worker.diagnostics.on_demand import Baseline, ValidationReading
from worker.runner.diagnosis.short_training import sample_of
from worker.training.evaluation_mode import evaluation_mode
from worker.training.experiment import Experiment, Split
from worker.training.inference import predict_batches
from worker.training.seed import derive

MAX_SAMPLES = 2000
#: The samples that a finding lists.
MAX_LISTED = 50
#: Images are scaled down to this for the linear classifier.
BASELINE_SIZE = 16
#: The weight of the penalty of the least squares, over the mean squared input.
RIDGE = 0.1
#: Of a matrix product on a core.
OPERATIONS_PER_SECOND = 2e10


def validation_sample(experiment: Experiment, *, samples: int) -> Split:
    """Return at most so many samples of the validation split, at random by the seed."""
    split = experiment.splits.validation
    generator = torch.Generator().manual_seed(derive(experiment.seed, "diagnostics", "validation"))
    order_N = torch.randperm(len(split.labels), generator=generator)[:samples]
    return Split(split.images[order_N], split.labels[order_N], split.indices[order_N])


@torch.no_grad()
def scores_of(experiment: Experiment, split: Split) -> Tensor:
    """Return the network's scores for samples as it is now, float32 [N, M] on the CPU."""
    batches = experiment.on_device(split)
    with evaluation_mode(experiment.model):
        predicted = predict_batches(experiment, experiment.model, batches)
        return torch.cat([outputs_NM.cpu() for outputs_NM, _ in predicted])


def confusion_of(experiment: Experiment, split: Split, scores_NM: Tensor) -> ValidationReading:
    """Return how often each class is taken for each other class."""
    classes = experiment.classes
    cells = (split.labels.long() * classes + scores_NM.argmax(1)).bincount(minlength=classes**2)
    return ValidationReading(
        samples=len(split.labels),
        confusion=tuple(map(tuple, cells.view(classes, classes).tolist())),
    )


def baseline_seconds(experiment: Experiment) -> float:
    """Return about how long the linear classifier takes; by the data alone, not by the clock."""
    channels, height, width = experiment.splits.train.images.shape[1:]
    inputs = channels * min(height, BASELINE_SIZE) * min(width, BASELINE_SIZE) + 1
    samples = min(MAX_SAMPLES, len(experiment.splits.train.labels))
    return (2 * samples * inputs**2 + inputs**3) / OPERATIONS_PER_SECOND


@torch.no_grad()
def read_baseline(experiment: Experiment, split: Split, scores_NM: Tensor) -> Baseline:
    """Return a linear classifier by least squares, and the network's answers next to it.

    Args:
        experiment: its training split is what the classifier learns.
        split: the samples of the validation split.
        scores_NM: the network's scores for them.
    """
    train = experiment.splits.train
    order_N = sample_of(experiment, "baseline", MAX_SAMPLES)
    sample = Split(train.images[order_N], train.labels[order_N], train.indices[order_N])
    inputs_ND, labels_N = _inputs(experiment, sample), sample.labels.long()
    targets_NM = one_hot(labels_N, experiment.classes).float()
    gram_DD = inputs_ND.T @ inputs_ND
    gram_DD += RIDGE * gram_DD.diagonal().mean() * torch.eye(len(gram_DD))
    weights_DM = torch.linalg.solve(gram_DD, inputs_ND.T @ targets_NM)
    truth_N, own_N = split.labels.long(), scores_NM.argmax(1)
    linear_N = (_inputs(experiment, split) @ weights_DM).argmax(1)
    is_own_N, is_linear_N = own_N == truth_N, linear_N == truth_N
    probabilities_NM = scores_NM.double().softmax(1)
    margins_N = probabilities_NM.gather(1, own_N[:, None]).squeeze(1)
    margins_N -= probabilities_NM.gather(1, truth_N[:, None]).squeeze(1)
    is_disputed_N = ~is_own_N & (own_N == linear_N)
    disputed_N = is_disputed_N.nonzero().flatten()
    listed_N = disputed_N[margins_N[disputed_N].argsort(descending=True, stable=True)[:MAX_LISTED]]
    names = experiment.class_names
    return Baseline(
        train_samples=len(labels_N),
        samples=len(truth_N),
        accuracy=is_linear_N.float().mean().item(),
        own_accuracy=is_own_N.float().mean().item(),
        only_linear=int((is_linear_N & ~is_own_N).sum()),
        only_own=int((is_own_N & ~is_linear_N).sum()),
        disputed=len(disputed_N),
        spread=_spread(truth_N[disputed_N], own_N[disputed_N], experiment.classes),
        rank=_rank(scores_NM[disputed_N], truth_N[disputed_N]),
        listed=tuple(
            (int(split.indices[i]), names[int(truth_N[i])], names[int(own_N[i])])
            for i in listed_N.tolist()
        ),
    )


def _spread(labels_N: Tensor, answers_N: Tensor, classes: int) -> float:
    """Return the number of different pairs over that of as many pairs at random; 0 without any."""
    cells, drawn = classes * (classes - 1), len(labels_N)
    if not drawn or not cells:
        return 0.0
    different = len((labels_N * classes + answers_N).unique())
    return different / (cells * (1 - (1 - 1 / cells) ** drawn))


def _rank(scores_NM: Tensor, labels_N: Tensor) -> float:
    """Return how many classes stand between the answer and the label, over what is random.

    It does not depend on the number of samples, as the number of different pairs does.
    """
    between = (scores_NM.shape[1] - 2) / 2
    if not len(labels_N) or not between:
        return 1.0
    above_N = (scores_NM > scores_NM.gather(1, labels_N.unsqueeze(1))).sum(1)
    return (above_N.float().mean().item() - 1) / between


def _inputs(experiment: Experiment, split: Split) -> Tensor:
    """Return the normalized inputs as rows with a 1 for the bias, [N, D] on the CPU."""
    images_NCHW = experiment.on_device(split).batch(slice(None))[0].float().cpu()
    if max(images_NCHW.shape[2:]) > BASELINE_SIZE:
        images_NCHW = adaptive_avg_pool2d(images_NCHW, BASELINE_SIZE)
    rows_ND = images_NCHW.flatten(1)
    return torch.cat([rows_ND, torch.ones(len(rows_ND), 1)], 1)
