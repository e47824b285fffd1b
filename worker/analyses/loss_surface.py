"""The loss around a checkpoint, along random directions."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from worker.analyses.drawing import BLUE, MAX_LINEAR_RATIO, ORANGE, set_titles, use_log_scale
from worker.analyses.landscape import (
    Height,
    Landscape,
    known_height,
    moved,
    random_direction,
)
from worker.analyses.outcome import Outcome, Picture
from worker.analyses.subject import Subject, draw_samples, require_finite
from worker.analyses.wording import count, number, percent, ticks
from worker.registry import analyses
from worker.training.parameters import has_batch_norm

#: A picture clips losses at this many times the loss of guessing.
CLIP_FACTOR = 10.0
LEVELS = 30
#: Of a linear scale.
LABELLED = 10


@analyses.register(
    source="Li et al. 2018, Visualizing the loss landscape of neural nets, arXiv:1712.09913",
    derivatives=0,
    networks=1,
    vectors=5,  # the weights, moved and in one step, and two directions of a surface without lines
    vectors_per="directions",
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
        grid: points along each of the two first directions of the surface; 0 or 1 leaves it out.
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
    grid = grid if grid > 1 else 0  # a single point is no surface
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
    require_finite(center.loss)
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
    shown = "" if accuracy is None else f", accuracy {percent(accuracy, 2)}"
    samples = count(result["samples"], "training sample")
    yield f"Loss {number(center['loss'])}{shown} on {samples}."
    lowest, median, highest = (number(rise[name], 3) for name in ("lowest", "median", "highest"))
    yield (
        f"At ±{span:g} along {count(lines, 'random direction')} the loss rises by {median} in "
        f"the median, {lowest} at least and {highest} at most."
    )
    rough = percent(result["rough_share"], 0)
    yield f"Along the lines, the loss bends downwards at {rough} of the points."
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
        f"{result['samples']:,} of {count(result['of_samples'], 'training sample')}, "
        f"{result['normalization']} normalization{batch_norm}, seed {result['seed']}"
    )


def _clipped(values: Any, clip: float, center: float) -> Tensor:
    """Return losses, at most the clip; values that are not finite have the clip.

    Without a clip they have the highest finite loss, or that of the checkpoint if none is finite.
    """
    losses = torch.tensor(values, dtype=torch.float64)
    finite = [*losses[losses.isfinite()].tolist(), center]
    highest = clip if math.isfinite(clip) else max(finite)
    return losses.nan_to_num(nan=highest, posinf=highest).clamp(max=highest)


def _draw_lines(drawing: Any, result: Mapping[str, Any], clip: float) -> None:
    """Draw each line, the median, and the band between the lowest and the highest."""
    axes = drawing.subplots()
    losses = _clipped(result["lines"]["loss"], clip, result["center"]["loss"])
    alphas = result["lines"]["alpha"]
    low, high = losses.min(0).values.tolist(), losses.max(0).values.tolist()
    axes.fill_between(alphas, low, high, color=BLUE, alpha=0.15, linewidth=0, label="all lines")
    for line in losses.tolist():
        axes.plot(alphas, line, color=BLUE, alpha=0.4, linewidth=0.8)
    axes.plot(alphas, losses.median(0).values.tolist(), color=BLUE, linewidth=2, label="median")
    axes.plot([0], [result["center"]["loss"]], "o", color=ORANGE, label="checkpoint")
    use_log_scale(axes, "y", losses.flatten().tolist())
    axes.set_xlabel("step along the direction, in lengths of the weights")
    axes.set_ylabel("training loss")
    axes.legend()
    directions = count(len(losses), "random direction")
    set_titles(drawing, f"Loss along {directions}", _caption(result))


def _draw_surface(drawing: Any, result: Mapping[str, Any], clip: float) -> None:
    """Draw the loss over two directions on a logarithmic scale of colours, clipped."""
    axes, surface = drawing.subplots(), result["surface"]
    losses = _clipped(surface["loss"], clip, result["center"]["loss"])
    low, high = losses.min().item(), losses.max().item()
    is_logarithmic = low > 0 and high > MAX_LINEAR_RATIO * low
    values = (losses.log10() if is_logarithmic else losses).tolist()
    sides = surface["alpha"], surface["beta"]
    filled = axes.contourf(*sides, values, levels=LEVELS, cmap="viridis")
    clipped = f", clipped at {number(clip, 3)}" if high >= clip else ""
    bar = drawing.colorbar(filled, label=f"training loss{clipped}")
    levels: list[float] | int = LABELLED
    names = None
    if is_logarithmic:
        shown = ticks(low, high)
        levels = [math.log10(loss) for loss in shown]
        names = {level: number(loss) for level, loss in zip(levels, shown, strict=True)}
        bar.set_ticks(levels, labels=list(names.values()))
    lines = axes.contour(
        *sides, values, levels=levels, colors="white", linewidths=0.6, linestyles="solid"
    )
    axes.clabel(lines, fmt=names, fontsize=8)
    axes.plot([0], [0], "o", color="white", markeredgecolor="black", markersize=8)
    axes.set_xlabel("step along the first direction")
    axes.set_ylabel("step along the second direction")
    axes.set_aspect("equal")
    set_titles(
        drawing, "Loss over two random directions; the dot is the checkpoint", _caption(result)
    )
