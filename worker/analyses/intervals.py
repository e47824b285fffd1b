"""Intervals for means: by the normal distribution, by Hoeffding's inequality, by bootstrap."""

import math
from collections.abc import Callable
from statistics import NormalDist

import torch
from torch import Tensor

from worker.analyses.partial_results import PartialResults

Interval = list[float]

#: Resamples between two reports.
KEEP_EVERY = 50


def normal_interval(values_N: Tensor, confidence: float) -> Interval:
    """Return mean ± z·s/√n, which holds for many samples (central limit theorem)."""
    mean = values_N.mean().item()
    if len(values_N) < 2:
        return [-math.inf, math.inf]
    half = NormalDist().inv_cdf((1 + confidence) / 2) * values_N.std().item() / len(values_N) ** 0.5
    return [mean - half, mean + half]


def hoeffding_half_width(samples: int, confidence: float) -> float:
    """Return √(ln(2/δ)/(2n)), δ = 1 − confidence: for the mean of n values in [0, 1], always.

    Hoeffding 1963, Probability inequalities for sums of bounded random variables, theorem 2.
    """
    return math.sqrt(math.log(2 / (1 - confidence)) / (2 * samples))


def hoeffding_interval(mean: float, samples: int, confidence: float) -> Interval:
    """Return the interval of Hoeffding's inequality, cut to [0, 1]."""
    half = hoeffding_half_width(samples, confidence)
    return [max(0.0, mean - half), min(1.0, mean + half)]


def bootstrap_difference(
    first_N: Tensor,
    second_N: Tensor,
    *,
    confidence: float,
    resamples: int,
    generator: torch.Generator,
    on_resample: Callable[[int], None],
    partial: PartialResults,
) -> tuple[Interval, Tensor]:
    """Return the percentile interval of the difference of two means, and all differences.

    Efron 1979, Bootstrap methods: another look at the jackknife.

    Args:
        first_N: values of which the mean is subtracted.
        second_N: values from whose mean it is subtracted.
        confidence: of the interval.
        resamples: how often both are drawn again, with replacement.
        generator: of the draws, on the CPU.
        on_resample: called every `KEEP_EVERY` resamples with their number so far.
        partial: keeps the differences so far.
    """
    differences = torch.empty(resamples, dtype=torch.float64)
    known = partial.get("differences")
    done = 0 if known is None else len(known["values"])
    if known is not None:
        differences[:done] = known["values"]
        generator.set_state(known["generator"])
    for index in range(done, resamples):
        means = [
            values[torch.randint(len(values), (len(values),), generator=generator)].mean()
            for values in (first_N, second_N)
        ]
        differences[index] = means[1] - means[0]
        if (index + 1) % KEEP_EVERY == 0:
            so_far = {"values": differences[: index + 1], "generator": generator.get_state()}
            partial.put("differences", so_far)
            on_resample(index + 1)
    tail = (1 - confidence) / 2
    bounds = torch.tensor([tail, 1 - tail], dtype=torch.float64)
    return torch.quantile(differences, bounds).tolist(), differences
