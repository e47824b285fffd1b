"""The loss on the straight line between two checkpoints."""

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from worker.analyses.drawing import BLUE, DASHED, GREY, set_titles, use_log_scale
from worker.analyses.landscape import Height, Landscape, known_height
from worker.analyses.outcome import Outcome, Picture
from worker.analyses.subject import AnalysisRefused, Subject, draw_samples, require_finite
from worker.analyses.wording import number
from worker.registry import analyses

#: The name for the weights before training, which every job has.
INITIAL = "initial"


@analyses.register(
    source="Goodfellow et al. 2015, Qualitatively characterizing neural network optimization "
    "problems, arXiv:1412.6544; Frankle et al. 2020, arXiv:1912.05671 (barrier)",
    derivatives=0,
    networks=9,  # whole states: both ends, one between them for each split, and their difference
    vectors=0,
    further_checkpoint={"checkpoint": "start", "job": "start_job", "built_again": INITIAL},
)
def loss_path(
    subject: Subject,
    /,
    *,
    start: Annotated[str, Field(min_length=1, max_length=100)] = INITIAL,
    start_job: Annotated[str, Field(min_length=1, max_length=40)] | None = None,
    points: Annotated[int, Field(ge=2, le=1001)] = 41,
    first: Annotated[float, Field(ge=-10, le=0)] = -0.5,
    last: Annotated[float, Field(ge=1, le=10)] = 1.5,
    samples: Annotated[int, Field(ge=1, le=1_000_000)] = 1000,
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0,
) -> Outcome:
    """The loss on the line from one checkpoint to another, and the barrier between them.

    The weights are (1−α)·start + α·checkpoint, and so are the running statistics of batch norm,
    without which the ends would have the wrong loss. Training and validation data loss are
    evaluated without augmentation, in evaluation mode, without Ω.

    Args:
        subject: the network and its data.
        start: the checkpoint at α = 0; `initial` is built again where it is not stored.
        start_job: the job of that checkpoint, with the same architecture; null for the same job.
        points: evenly spaced from `first` to `last`; α = 0 and α = 1 are evaluated too.
        first: the smallest α.
        last: the largest α.
        samples: training and validation samples, of each; all of a split where it has no more.
        seed: of the samples.
    """
    assert subject.load_weights is not None
    is_built_again = start == INITIAL and start_job is None
    before = subject.load_weights(None if is_built_again else start)
    after = {name: tensor.clone() for name, tensor in subject.experiment.model.state_dict().items()}
    _check_shapes(before, after)
    splits = {
        "train": subject.experiment.splits.train,
        "validation": subject.experiment.splits.validation,
    }
    landscapes = {
        name: Landscape(subject, split, draw_samples(split, samples, seed))
        for name, split in splits.items()
    }
    alphas = sorted({*_steps(first, last, points), 0.0, 1.0})
    heights: dict[str, list[Height]] = {name: [] for name in landscapes}
    for index, alpha in enumerate(alphas):
        for name, landscape in landscapes.items():
            heights[name].append(
                known_height(
                    subject.partial,
                    f"{name}/{index}",
                    lambda landscape=landscape, alpha=alpha: landscape.height(
                        _between(before, after, alpha)
                    ),
                )
            )
        subject.report(index + 1, len(alphas))
    for alpha, where in ((0.0, "at the start"), (1.0, "at the checkpoint")):
        require_finite(heights["train"][alphas.index(alpha)].loss, where)
    result: dict[str, Any] = {
        "alpha": alphas,
        **{
            name: {
                "loss": [point.loss for point in own],
                "accuracy": [point.accuracy for point in own],
                "barrier": _barrier(alphas, [point.loss for point in own]),
            }
            for name, own in heights.items()
        },
        "distance": _distance(before, after),
        "samples": {name: min(samples, len(split.labels)) for name, split in splits.items()},
        "seed": seed,
    }
    result["is_monotone"] = _is_monotone(alphas, result["train"]["loss"])
    arrays = {"alpha": torch.tensor(alphas, dtype=torch.float64)}
    for name in landscapes:
        losses = torch.tensor(result[name]["loss"], dtype=torch.float64)
        arrays[f"{name}_loss"] = losses
    return Outcome(
        result,
        summary=tuple(_sentences(result)),
        arrays=arrays,
        pictures=(Picture("path", lambda drawing: _draw(drawing, result)),),
    )


def _check_shapes(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> None:
    shapes = [{name: tensor.shape for name, tensor in each.items()} for each in (before, after)]
    if shapes[0] != shapes[1]:
        raise AnalysisRefused(
            "The two checkpoints are of different networks: their tensors differ in names or "
            "shapes. Choose a start with the same architecture."
        )


def _steps(first: float, last: float, count: int) -> list[float]:
    return [first + (last - first) * index / (count - 1) for index in range(count)]


def _between(
    before: Mapping[str, Tensor], after: Mapping[str, Tensor], alpha: float
) -> dict[str, Tensor]:
    """Return the state at α. At 1 it is the checkpoint bit for bit, and at 0 the start."""
    if alpha in {0.0, 1.0}:
        return dict(after if alpha else before)
    return {
        name: before[name].to(tensor.device).lerp(tensor, alpha)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in after.items()
    }


def _barrier(alphas: list[float], losses: list[float]) -> float:
    """Return the largest height of the loss above the line between its ends, α in [0, 1]."""
    low, high = losses[alphas.index(0.0)], losses[alphas.index(1.0)]
    return max(
        loss - ((1 - alpha) * low + alpha * high)
        for alpha, loss in zip(alphas, losses, strict=True)
        if 0 <= alpha <= 1
    )


def _is_monotone(alphas: list[float], losses: list[float]) -> bool:
    """Return whether the loss never rises from α = 0 to α = 1."""
    inner = [loss for alpha, loss in zip(alphas, losses, strict=True) if 0 <= alpha <= 1]
    return all(after <= before for before, after in pairwise(inner))


def _distance(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> float:
    """Return the Euclidean distance between the two states, without counters of batches."""
    squares = (
        (tensor.double() - before[name].to(tensor.device).double()).square().sum().item()
        for name, tensor in after.items()
        if tensor.is_floating_point()
    )
    return math.sqrt(sum(squares))


def _sentences(result: Mapping[str, Any]) -> Iterator[str]:
    alphas, train, validation = result["alpha"], result["train"], result["validation"]
    start, end = (number(train["loss"][alphas.index(alpha)]) for alpha in (0.0, 1.0))
    yield f"Training loss {start} at the start and {end} at the checkpoint."
    if result["is_monotone"]:
        yield "On the straight line between them it never rises."
    yield (
        f"Barrier above the straight line of losses: {number(train['barrier'])} in training, "
        f"{number(validation['barrier'])} in validation."
    )
    lowest = min(range(len(alphas)), key=lambda index: train["loss"][index])
    at, loss = number(alphas[lowest], 3), number(train["loss"][lowest])
    yield f"Lowest training loss at α = {at}: {loss}."


def _draw(drawing: Any, result: Mapping[str, Any]) -> None:
    """Draw both losses, and mark both ends."""
    axes, alphas = drawing.subplots(), result["alpha"]
    for alpha, name, side, shift in ((0.0, "start", "left", 4), (1.0, "checkpoint", "right", -4)):
        axes.axvline(alpha, color=GREY, linewidth=0.8, linestyle=":")
        place = (alpha, 1), (shift, -12), ("data", "axes fraction"), "offset points"
        axes.annotate(name, *place, ha=side, color=GREY)
    validation, train = result["validation"]["loss"], result["train"]["loss"]
    axes.plot(alphas, validation, color=BLUE, label="validation loss")
    axes.plot(alphas, train, color=BLUE, linestyle=DASHED, label="training loss")
    use_log_scale(axes, "y", [*validation, *train])
    axes.set_xlabel("α: weights (1−α)·start + α·checkpoint")
    axes.set_ylabel("data loss")
    axes.legend()
    counts = result["samples"]
    set_titles(
        drawing,
        "Loss on the line from the start to the checkpoint",
        f"{counts['train']:,} training and {counts['validation']:,} validation samples, seed "
        f"{result['seed']}, distance of the weights {number(result['distance'])}",
    )
