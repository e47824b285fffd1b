"""Schedules that keep or lower the learning rate with the number of updates."""

from math import cos, exp, pi
from typing import Annotated

from pydantic import Field

from worker.registry import schedules
from worker.schedules.schedule import Schedule, Warmup

Decay = Annotated[float, Field(ge=0, le=1)]


@schedules.register(source="Robbins & Monro 1951, with a fixed step")
def constant(*, warmup: Warmup = 0) -> Schedule:
    """The same learning rate lr₀ throughout the stage.

    Args:
        warmup: number of updates over which the learning rate first rises linearly to lr₀.
    """
    return Schedule(warmup=warmup)


@schedules.register(source="Robbins & Monro 1951; Keras's `decay` until version 2.10")
def inverse_time(*, decay: Decay = 0.00025, warmup: Warmup = 0) -> Schedule:
    """lr₀ / (1 + decay·updates).

    Args:
        decay: rate of the decay per update; the learning rate is lr₀/2 after 1/decay updates.
        warmup: number of updates over which the learning rate first rises linearly to lr₀.
    """
    return Schedule(lambda progress: 1 / (1 + decay * progress.updates), warmup)


@schedules.register(source="Krizhevsky, Sutskever & Hinton 2012, section 5")
def step(
    *,
    every: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1000,
    factor: Annotated[float, Field(gt=0, le=1)] = 0.1,
    warmup: Warmup = 0,
) -> Schedule:
    """lr₀·factor^⌊updates/every⌋.

    Args:
        every: number of updates between two reductions.
        factor: what the learning rate is multiplied by at each reduction.
        warmup: number of updates over which the learning rate first rises linearly to lr₀.
    """
    return Schedule(lambda progress: float(factor ** (progress.updates // every)), warmup)


@schedules.register(source="Goodfellow, Bengio & Courville 2016, Deep Learning, section 8.3.1")
def exponential(*, decay: Decay = 0.00025, warmup: Warmup = 0) -> Schedule:
    """lr₀·exp(−decay·updates).

    Args:
        decay: rate of the decay per update; the learning rate is lr₀/2 after ln 2/decay updates.
        warmup: number of updates over which the learning rate first rises linearly to lr₀.
    """
    return Schedule(lambda progress: exp(-decay * progress.updates), warmup)


@schedules.register(source="Loshchilov & Hutter 2016, arXiv:1608.03983, equation 5, no restarts")
def cosine(*, final: Annotated[float, Field(ge=0, le=1)] = 0.0, warmup: Warmup = 0) -> Schedule:
    """Half a cosine from lr₀ down to final·lr₀ at the end of the stage.

    The end lies after the last update, as in the paper (T_cur = T_i), so the last update itself
    is made at a slightly higher learning rate.

    Args:
        final: the fraction of lr₀ at the end of the stage.
        warmup: number of updates over which the learning rate first rises linearly to lr₀.
    """
    return Schedule(
        lambda progress: final + (1 - final) * (1 + cos(pi * progress.fraction)) / 2, warmup
    )
