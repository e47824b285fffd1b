"""The declaration of every metric: its name, split, unit and whether higher or lower is better.

`train_`, `val_` and `test_` at the beginning of a name stand for the split. A metric of a task
(accuracies, errors) is declared once for all splits it is computed on.

Units: `fraction` is in [0, 1]; `target` is the unit of the number that a regression predicts;
`loss` is the unit of the job's loss function, which is computed on the standardized target where
the target of a table is standardized; `1` has no unit.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Literal

SplitName = Literal["train", "validation", "test"]
Unit = Literal["fraction", "images/s", "loss", "seconds", "target", "1"]
Direction = Literal["higher", "lower"]
TaskName = Literal["classification", "regression"]

PREFIXES: Mapping[SplitName, str] = MappingProxyType(
    {"train": "train_", "validation": "val_", "test": "test_"}
)
SAMPLES: Mapping[SplitName, str] = MappingProxyType(
    {"train": "training samples", "validation": "validation samples", "test": "test samples"}
)
#: Accuracies on mixed training targets are not accuracies on real labels, so they differ in name.
MIXED_PREFIX = "train_mixed_"


@dataclass(frozen=True)
class Conditions:
    """What a job must have for a metric to exist; None where it makes no difference."""

    task: TaskName | None = None
    #: Whether a regularizer mixes the targets of several training samples.
    mixed_targets: bool | None = None
    gradient_clipping: bool | None = None

    def are_met_by(self, job: "Conditions") -> bool:
        """Return whether a metric with these conditions exists in a job, which has no None."""
        wanted, actual = asdict(self), asdict(job)
        return all(value in (None, actual[name]) for name, value in wanted.items())


@dataclass(frozen=True)
class Metric:
    """One metric, or one for each k where its name holds `{k}`."""

    name: str
    #: None where the metric does not belong to one split.
    split: SplitName | None
    unit: Unit
    #: Which values are better; None where neither is, as with the learning rate.
    direction: Direction | None
    summary: str
    conditions: Conditions = Conditions()


@dataclass(frozen=True)
class TaskMetric:
    """A metric that `Task.metrics` computes, under this name, on each of its splits."""

    name: str
    unit: Unit
    direction: Direction
    #: `{samples}` stands for the samples of the split.
    summary: str
    task: TaskName
    splits: tuple[SplitName, ...] = ("train", "validation", "test")

    def on_splits(self) -> Iterable[Metric]:
        """Yield the metric of each split."""
        for split in self.splits:
            # Only the training targets of a classification can be mixed.
            is_mixable = split == "train" and self.task == "classification"
            yield Metric(
                name=PREFIXES[split] + self.name,
                split=split,
                unit=self.unit,
                direction=self.direction,
                summary=self.summary.replace("{samples}", SAMPLES[split]),
                conditions=Conditions(self.task, mixed_targets=False if is_mixable else None),
            )
            if is_mixable:
                yield Metric(
                    name=MIXED_PREFIX + self.name,
                    split=split,
                    unit=self.unit,
                    direction=self.direction,
                    summary=self.summary.replace("{samples}", "mixed training samples")
                    + " The class with the largest share of a mixture counts as its class.",
                    conditions=Conditions(self.task, mixed_targets=True),
                )


TASK_METRICS: tuple[TaskMetric, ...] = (
    TaskMetric(
        "accuracy",
        "fraction",
        "higher",
        "Fraction of {samples} whose class is the first with the highest score.",
        "classification",
    ),
    TaskMetric(
        "top_{k}_accuracy",
        "fraction",
        "higher",
        "Fraction of {samples} whose class is among the k highest scores; ties count as in.",
        "classification",
    ),
    TaskMetric(
        "mean_absolute_error",
        "target",
        "lower",
        "Mean of |y − f| over the {samples}.",
        "regression",
    ),
    TaskMetric(
        "root_mean_squared_error",
        "target",
        "lower",
        "Square root of the mean of (y − f)² over the {samples}.",
        "regression",
    ),
    TaskMetric(
        "r2",
        "1",
        "higher",
        "Coefficient of determination of the {samples}: 1 − Σ(y − f)² / Σ(y − ȳ)².",
        "regression",
        ("test",),
    ),
)

METRICS: tuple[Metric, ...] = (
    Metric(
        "train_loss",
        "train",
        "loss",
        "lower",
        "Data loss plus penalty, averaged over the samples of the epoch's training steps.",
    ),
    Metric(
        "train_data_loss",
        "train",
        "loss",
        "lower",
        "The loss that training minimizes, with class weights but without penalty, averaged over "
        "the samples of the epoch's steps.",
    ),
    Metric(
        "train_penalty",
        "train",
        "loss",
        "lower",
        "What regularizers add to the loss, averaged over the samples of the epoch's steps.",
    ),
    Metric(
        "train_eval_loss",
        "train",
        "loss",
        "lower",
        "The loss function without penalty in evaluation mode, without augmentation and other "
        "regularizers, averaged over a fixed sample of the training split that is as large as the "
        "validation split.",
    ),
    Metric(
        "val_loss",
        "validation",
        "loss",
        "lower",
        "Data loss on the validation split plus the penalty of the weights.",
    ),
    Metric(
        "val_data_loss",
        "validation",
        "loss",
        "lower",
        "The loss function without penalty, averaged over the validation split.",
    ),
    Metric(
        "test_loss",
        "test",
        "loss",
        "lower",
        "Data loss on the test split plus the penalty of the weights.",
    ),
    Metric(
        "test_data_loss",
        "test",
        "loss",
        "lower",
        "The loss function without penalty, averaged over the test split.",
    ),
    *(metric for declared in TASK_METRICS for metric in declared.on_splits()),
    Metric(
        "generalization_gap",
        None,
        "loss",
        "lower",
        "val_data_loss minus train_eval_loss: both are data losses in evaluation mode.",
    ),
    Metric(
        "learning_rate",
        None,
        "1",
        None,
        "Learning rate of the epoch's last step.",
    ),
    Metric(
        "gradient_norm",
        None,
        "1",
        None,
        "Euclidean norm of the whole gradient before clipping, averaged over the epoch's steps.",
    ),
    Metric(
        "clipped_fraction",
        None,
        "fraction",
        None,
        "Fraction of steps in which gradient clipping changed the gradient.",
        Conditions(gradient_clipping=True),
    ),
    Metric(
        "images_per_second",
        None,
        "images/s",
        "higher",
        "Training images per second; the time of validation does not count.",
    ),
    Metric(
        "seconds",
        None,
        "seconds",
        "lower",
        "Duration of the epoch, training and validation.",
    ),
)


def epoch_metric_names(job: Conditions, top_k: Iterable[int] = ()) -> tuple[str, ...]:
    """Return the metrics that each epoch of a job reports, for early stopping and checkpoints.

    Args:
        job: the job's task, and whether it mixes targets and clips gradients.
        top_k: the k of the job's top-k accuracies; 1 is the accuracy.
    """
    ks = sorted({k for k in top_k if k > 1})
    return tuple(
        name
        for metric in METRICS
        if metric.split != "test" and metric.conditions.are_met_by(job)
        for name in _expanded(metric.name, ks)
    )


def metric_of(name: str) -> Metric:
    """Return the declaration of a metric, such as `val_top_{k}_accuracy` of `val_top_5_accuracy`.

    Raises:
        ValueError: no metric of this name is declared.
    """
    template = re.sub(r"(?<=_top_)[0-9]+(?=_)", "{k}", name)
    for metric in METRICS:
        if metric.name == template:
            return metric
    raise ValueError(f"The metric {name!r} is not declared in worker/training/metrics.py.")


def _expanded(name: str, ks: Iterable[int]) -> list[str]:
    return [name.format(k=k) for k in ks] if "{k}" in name else [name]
