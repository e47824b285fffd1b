"""How well losses on samples estimate the loss on new data."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from worker.analyses.drawing import BLUE, DASHED, ORANGE, set_titles, use_log_scale
from worker.analyses.intervals import (
    bootstrap_difference,
    hoeffding_interval,
    normal_interval,
)
from worker.analyses.outcome import Outcome, Picture
from worker.analyses.predictions import Predictions, predict_split
from worker.analyses.subject import Subject, require_finite
from worker.analyses.wording import count, number, percent
from worker.registry import analyses
from worker.training.seed import generator
from worker.training.topk import is_right

#: Sizes of the subsets in the picture, from few samples to all.
SIZES = 20
MIN_SIZE = 10


@analyses.register(
    source="Goodfellow, Bengio & Courville 2016, Deep learning, section 5.2; Hoeffding 1963; "
    "Efron 1979 (bootstrap)",
    derivatives=0,
    networks=0,
    vectors=0,
)
def loss_estimate(
    subject: Subject,
    /,
    *,
    confidence: Annotated[float, Field(ge=0.5, le=0.9999)] = 0.95,
    resamples: Annotated[int, Field(ge=100, le=100_000)] = 1000,
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0,
) -> Outcome:
    """The empirical loss, the general loss with intervals, and the gap between them.

    The empirical loss is the mean over all training samples, which training lowered. The general
    loss, over new samples, is estimated on the validation split. The test split is not looked at
    again: its loss and accuracy are those recorded at the end of the job.

    Args:
        subject: the network and its data.
        confidence: of every interval.
        resamples: of the bootstrap for the gap.
        seed: of the bootstrap and of the subsets in the picture.
    """
    splits = subject.experiment.splits
    trained, new = len(splits.train.labels), len(splits.validation.labels)
    predicted = trained + new
    # All resamples together count as a tenth of the predictions.
    total = predicted + max(1, predicted // 10)
    train = predict_split(subject, "train", lambda done: subject.report(done, total))
    validation = predict_split(
        subject, "validation", lambda done: subject.report(trained + done, total)
    )
    for predictions in (train, validation):
        require_finite(predictions.losses_N.mean().item())
    gap_interval, gaps = bootstrap_difference(
        train.losses_N,
        validation.losses_N,
        confidence=confidence,
        resamples=resamples,
        generator=generator(seed, "analysis", "bootstrap"),
        on_resample=lambda done: subject.report(
            predicted + (total - predicted) * done // resamples, total
        ),
        partial=subject.partial,
    )
    if min(trained, new) == 1:  # resampling a single sample shows no spread
        gap_interval = [-math.inf, math.inf]
    is_classification = bool(subject.experiment.class_names)
    sizes, means, halves = _subsets(validation.losses_N, confidence, seed)
    result: dict[str, Any] = {
        "empirical": _estimate(train, confidence, is_classification=is_classification),
        "general": _estimate(validation, confidence, is_classification=is_classification),
        "gap": {
            "value": (validation.losses_N.mean() - train.losses_N.mean()).item(),
            "interval": gap_interval,
        },
        "test": _recorded(subject.test, len(splits.test.labels), confidence),
        "is_optimistic": subject.monitor is not None and subject.monitor.startswith("val_"),
        "monitor": subject.monitor,
        "confidence": confidence,
        "seed": seed,
    }
    return Outcome(
        result,
        summary=tuple(_sentences(result)),
        arrays={
            "train_losses": train.losses_N,
            "validation_losses": validation.losses_N,
            "gaps": gaps,
            "subset_sizes": sizes,
            "subset_means": means,
            "subset_half_widths": halves,
        },
        pictures=(
            Picture("estimate", lambda drawing: _draw(drawing, result, sizes, means, halves)),
        ),
    )


def _estimate(
    predictions: Predictions, confidence: float, *, is_classification: bool
) -> dict[str, Any]:
    """Return the mean loss and the error rate of a split with their intervals."""
    losses_N = predictions.losses_N
    estimate: dict[str, Any] = {
        "loss": losses_N.mean().item(),
        "interval": normal_interval(losses_N, confidence),
        "samples": len(losses_N),
    }
    if is_classification:
        right_N = is_right(predictions.outputs_NM, predictions.targets_N)
        error = 1 - right_N.double().mean().item()
        estimate["error"] = error
        estimate["error_interval"] = hoeffding_interval(error, len(losses_N), confidence)
    return estimate


def _recorded(
    test: Mapping[str, Any] | None, samples: int, confidence: float
) -> dict[str, Any] | None:
    """Return what is recorded of the test split; the losses of single samples are not."""
    if test is None:
        return None
    recorded: dict[str, Any] = {"loss": test.get("data_loss"), "samples": samples}
    accuracy = test.get("accuracy")
    if isinstance(accuracy, float):
        recorded["error"] = 1 - accuracy
        recorded["error_interval"] = hoeffding_interval(1 - accuracy, samples, confidence)
    return recorded


def _subsets(losses_N: Tensor, confidence: float, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return sizes, means and half widths of nested random subsets, from few samples to all."""
    count = len(losses_N)
    shuffled_N = losses_N[torch.randperm(count, generator=generator(seed, "analysis", "subsets"))]
    smallest = min(MIN_SIZE, count)
    logs = torch.linspace(math.log(smallest), math.log(count), SIZES, dtype=torch.float64)
    sizes = logs.exp().round().long().clamp(1, count).unique()
    parts = [shuffled_N[:size] for size in sizes.tolist()]
    means = torch.stack([part.mean() for part in parts])
    intervals = [normal_interval(part, confidence) for part in parts]
    halves = torch.tensor([(high - low) / 2 for low, high in intervals], dtype=torch.float64)
    return sizes, means, halves


def _sentences(result: Mapping[str, Any]) -> Iterator[str]:
    empirical, general, gap = result["empirical"], result["general"], result["gap"]
    level = f"{100 * result['confidence']:.4g} %"
    trained = count(empirical["samples"], "training sample")
    yield f"Empirical loss on {trained}: {number(empirical['loss'])}."
    seen = count(general["samples"], "validation sample")
    low, high = general["interval"]
    bounds = (
        f"between {number(low)} and {number(high)} with a confidence of {level}"
        if math.isfinite(low)
        else "without an interval, which needs two samples"
    )
    yield f"General loss, from {seen}: {number(general['loss'])}, {bounds}."
    low, high = gap["interval"]
    sign = "The gap is real" if low > 0 else "The gap may be chance" if high >= 0 else "No gap"
    within = f", between {number(low)} and {number(high)}" if math.isfinite(low) else ""
    yield f"{sign}: {number(gap['value'])}{within}."
    if "error" in general:
        low, high = (percent(bound, 2) for bound in general["error_interval"])
        yield (
            f"Error rate on new data: {percent(general['error'], 2)}, between {low} and {high} by "
            "Hoeffding's inequality, whatever the distribution."
        )
    test = result["test"]
    if test is not None and isinstance(test["loss"], float):
        tested = count(test["samples"], "test sample")
        yield f"Recorded on {tested}: loss {number(test['loss'])}."
    if result["is_optimistic"]:
        yield (
            f"The checkpoint was chosen by {result['monitor']}, so the estimate on the validation "
            "split is too good; the test split is not affected."
        )


def _draw(
    drawing: Any, result: Mapping[str, Any], sizes: Tensor, means: Tensor, halves: Tensor
) -> None:
    """Draw the estimate against the number of samples, which settles like 1/√n."""
    axes, numbers = drawing.subplots(), sizes.tolist()
    low, high = (means - halves).tolist(), (means + halves).tolist()
    axes.fill_between(
        numbers, low, high, color=BLUE, alpha=0.2, linewidth=0, label="interval of the mean"
    )
    axes.plot(numbers, means.tolist(), ".-", color=BLUE, label="mean over n validation samples")
    empirical = result["empirical"]["loss"]
    axes.axhline(empirical, color=ORANGE, linestyle=DASHED, label="empirical loss (training)")
    use_log_scale(axes, "x", numbers, ratio=3)
    axes.set_xlabel("n, number of validation samples")
    axes.set_ylabel("data loss")
    axes.legend()
    samples = count(result["general"]["samples"], "validation sample")
    set_titles(
        drawing,
        "How the estimate of the general loss settles",
        f"{samples} in a random order, confidence {result['confidence']:.4g}, seed "
        f"{result['seed']}",
    )
