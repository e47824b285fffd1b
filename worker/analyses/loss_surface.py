"""The loss around a checkpoint, along random directions."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from worker.analyses.landscape import (
    Height,
    Landscape,
    known_height,
    moved,
    random_direction,
)
from worker.analyses.outcome import Outcome, Picture
from worker.analyses.subject import Subject, draw_samples
from worker.registry import analyses
from worker.training.parameters import has_batch_norm

#: A picture clips losses at this many times the loss of guessing.
CLIP_FACTOR = 10.0
LEVELS = 30


@analyses.register(
    source="Li et al. 2018, Visualizing the loss landscape of neural nets, arXiv:1712.09913",
    derivatives=0,
    vectors=8,
)
def loss_surface(
    subject: Subject,
    /,
    *,
    directions: Annotated[int, Field(ge=1, le=20)] = 5,
    points: Annotated[int, Field(ge=3, le=501)] = 51,
    grid: Annotated[int, Field(ge=0, le=101)] = 25,
    span: Annotated[float, Field(gt=0, le=100)] = 1.0,
    normalization: Literal["filter", "none"] = "filter",
    samples: Annotated[int, Field(ge=1, le=1_000_000)] = 1000,
    recompute_batch_norm: bool = True,
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0,
) -> Outcome:
    """The training loss along random directions, as lines and as a surface over two of them.

    Several lines are drawn, since a single direction is an anecdote. The data loss is evaluated on
    training samples without augmentation, in evaluation mode, without Ω.

    Args:
        subject: the network and its data.
        directions: lines, each along a random direction.
        points: of each line; an odd number includes the checkpoint itself.
        grid: points along each of the two first directions of the surface; 0 leaves it out.
        span: lines and surface go from −span to span.
        normalization: "filter" scales each filter of a direction to the norm of the network's
            filter, so that the picture does not depend on the scale of the weights.
        samples: training samples; all of the split where it has no more.
        recompute_batch_norm: whether running statistics are computed again at every point. Without
            it, they belong to the checkpoint and fit the weights around it worse and worse.
        seed: of the sample and the directions.
    """
    experiment = subject.experiment
    split = experiment.splits.train
    samples_N = draw_samples(split, samples, seed)
    landscape = Landscape(subject, split, samples_N, recomputes_batch_norm=recompute_batch_norm)
    weights = landscape.trained_weights()
    is_normalized = normalization == "filter"
    numbers = range(max(directions, 2 if grid else 1))
    drawn = {n: random_direction(weights, seed, n, is_normalized=is_normalized) for n in numbers}
    total, done = 1 + directions * points + grid * grid, 0

    def height(steps: Mapping[int, float]) -> Height:
        nonlocal done
        found = known_height(
            subject.partial, f"point/{done}", lambda: landscape.height(moved(weights, steps, drawn))
        )
        done += 1
        subject.report(done, total)
        return found

    center = height({})
    alphas = _steps(span, points)
    lines = [[height({n: alpha}) for alpha in alphas] for n in range(directions)]
    sides = _steps(span, grid) if grid else []
    rows = [[height({0: alpha, 1: beta}) for alpha in sides] for beta in sides]
    result: dict[str, Any] = {
        "center": {"loss": center.loss, "accuracy": center.accuracy},
        "lines": {"alpha": alphas, **_values(lines)},
        "surface": {"alpha": sides, "beta": sides, **_values(rows)} if rows else None,
        "rise": _rise(lines, center),
        "rough_share": _rough_share(lines),
        "normalization": normalization,
        "recomputes_batch_norm": recompute_batch_norm and has_batch_norm(experiment.model),
        "samples": len(samples_N),
        "of_samples": len(split.labels),
        "seed": seed,
    }
    clip = CLIP_FACTOR * math.log(experiment.classes) if experiment.classes > 1 else math.inf
    pictures = [Picture("lines", lambda drawing: _draw_lines(drawing, result, clip))]
    if rows:
        pictures.append(Picture("surface", lambda drawing: _draw_surface(drawing, result, clip)))
    return Outcome(
        result,
        summary=tuple(_sentences(result, span)),
        arrays=_arrays(result),
        pictures=tuple(pictures),
    )


def _steps(span: float, count: int) -> list[float]:
    """Return evenly spaced steps from −span to span; of an odd count, 0 is exact."""
    return [span * (2 * index - (count - 1)) / (count - 1) for index in range(count)]


def _values(rows: Sequence[Sequence[Height]]) -> dict[str, Any]:
    return {
        "loss": [[point.loss for point in row] for row in rows],
        "accuracy": [[point.accuracy for point in row] for row in rows],
    }


def _rise(lines: Sequence[Sequence[Height]], center: Height) -> dict[str, float]:
    """Return by how much the loss rises at the ends of the lines: lowest, median, highest."""
    ends = torch.tensor([line[index].loss - center.loss for line in lines for index in (0, -1)])
    return {
        "lowest": ends.min().item(),
        "median": ends.median().item(),
        "highest": ends.max().item(),
    }


def _rough_share(lines: Sequence[Sequence[Height]]) -> float:
    """Return the share of inner points at which the loss bends downwards along its line."""
    losses = torch.tensor([[point.loss for point in line] for line in lines], dtype=torch.float64)
    bends = losses[:, :-2] - 2 * losses[:, 1:-1] + losses[:, 2:]
    return (bends < 0).double().mean().item()


def _sentences(result: Mapping[str, Any], span: float) -> Iterator[str]:
    center, rise, lines = result["center"], result["rise"], len(result["lines"]["loss"])
    accuracy = center["accuracy"]
    shown = "" if accuracy is None else f", accuracy {accuracy:.2%}"
    yield f"Loss {center['loss']:.4g}{shown} on {result['samples']:,} training samples."
    yield (
        f"At ±{span:g} along {lines} random directions the loss rises by {rise['median']:.3g} in "
        f"the median, {rise['lowest']:.3g} at least and {rise['highest']:.3g} at most."
    )
    yield f"Along the lines, the loss bends downwards at {result['rough_share']:.0%} of the points."
    if result["recomputes_batch_norm"]:
        yield "The statistics of batch norm are computed again at every point."


def _arrays(result: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return alphas, losses and accuracies as float64 arrays; NaN where there is no accuracy."""
    arrays: dict[str, Tensor] = {}
    for part in ("lines", "surface"):
        if result[part] is not None:
            for name, values in result[part].items():
                arrays[f"{part}_{name}"] = torch.tensor(_without_none(values), dtype=torch.float64)
    return arrays


def _without_none(values: Any) -> Any:
    if isinstance(values, list):
        return [_without_none(value) for value in values]
    return math.nan if values is None else values


def _caption(result: Mapping[str, Any]) -> str:
    batch_norm = ", batch norm recomputed" if result["recomputes_batch_norm"] else ""
    return (
        f"{result['samples']:,} of {result['of_samples']:,} training samples, "
        f"{result['normalization']} normalization{batch_norm}, seed {result['seed']}"
    )


def _clipped(values: Any, clip: float) -> Tensor:
    """Return losses, at most the clip; values that are not finite have the clip."""
    losses = torch.tensor(values, dtype=torch.float64)
    highest = clip if math.isfinite(clip) else losses[losses.isfinite()].max().item()
    return losses.nan_to_num(nan=highest, posinf=highest).clamp(max=highest)


def _draw_lines(drawing: Any, result: Mapping[str, Any], clip: float) -> None:
    """Draw each line, the median, and the band between the lowest and the highest."""
    axes = drawing.subplots()
    losses, alphas = _clipped(result["lines"]["loss"], clip), result["lines"]["alpha"]
    for line in losses.tolist():
        axes.plot(alphas, line, color="tab:blue", alpha=0.4, linewidth=0.8)
    low, high = losses.min(0).values.tolist(), losses.max(0).values.tolist()
    axes.fill_between(alphas, low, high, color="tab:blue", alpha=0.15)
    axes.plot(alphas, losses.median(0).values.tolist(), color="tab:blue", label="median")
    axes.plot([0], [result["center"]["loss"]], "o", color="black", label="checkpoint")
    axes.set_xlabel("step along the direction")
    axes.set_ylabel("training loss")
    if losses.min() > 0:
        axes.set_yscale("log")
    axes.legend()
    axes.set_title(f"{len(losses)} random directions")
    drawing.suptitle(_caption(result))


def _draw_surface(drawing: Any, result: Mapping[str, Any], clip: float) -> None:
    """Draw the logarithm of the loss over two directions, clipped."""
    axes, surface = drawing.subplots(), result["surface"]
    losses = _clipped(surface["loss"], clip)
    shown = losses.clamp(min=torch.finfo(torch.float64).tiny).log10()
    is_logarithmic = bool((losses > 0).all())
    values = shown if is_logarithmic else losses
    filled = axes.contourf(surface["alpha"], surface["beta"], values.tolist(), levels=LEVELS)
    lines = axes.contour(
        surface["alpha"],
        surface["beta"],
        values.tolist(),
        levels=10,
        colors="white",
        linewidths=0.4,
    )
    axes.clabel(lines, fontsize=7)
    axes.plot([0], [0], "o", color="red")
    label = "log₁₀ of the training loss" if is_logarithmic else "training loss"
    limit = f", clipped at {clip:.3g}" if math.isfinite(clip) else ""
    drawing.colorbar(filled, label=label + limit)
    axes.set_xlabel("first direction")
    axes.set_ylabel("second direction")
    axes.set_aspect("equal")
    drawing.suptitle(_caption(result))
