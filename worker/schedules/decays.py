"""Schedules that hold or lower the learning rate."""

from math import cos, exp, pi
from typing import Annotated

from pydantic import Field

from worker.registry import schedules
from worker.schedules.warmup import Warmup, after, ramp

Decay = Annotated[float, Field(ge=0, le=1)]


@schedules.register(source="Robbins & Monro 1951, with a fixed step")
def constant(updates: int, _total: int, /, *, warmup: Warmup = 0) -> float:
    """The same learning rate throughout.

    Args:
        updates: updates made before this one.
        _total: updates of the stage; not looked at.
        warmup: over how many updates it rises linearly first.
    """
    return ramp(updates, warmup)


@schedules.register(source="Robbins & Monro 1951; Keras's `decay` until version 2.10")
def inverse_time(
    updates: int, _total: int, /, *, decay: Decay = 0.00025, warmup: Warmup = 0
) -> float:
    """lr₀ / (1 + decay·updates).

    Args:
        updates: updates made before this one.
        _total: updates of the stage; not looked at.
        decay: how fast it falls; half of lr₀ is reached after 1/decay updates.
        warmup: over how many updates it rises linearly first.
    """
    return ramp(updates, warmup) / (1 + decay * after(updates, warmup))


@schedules.register(source="Krizhevsky, Sutskever & Hinton 2012, section 5")
def step(
    updates: int,
    _total: int,
    /,
    *,
    every: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1000,
    factor: Annotated[float, Field(gt=0, le=1)] = 0.1,
    warmup: Warmup = 0,
) -> float:
    """lr₀·factor^⌊updates/every⌋.

    Args:
        updates: updates made before this one.
        _total: updates of the stage; not looked at.
        every: after how many updates it is multiplied by the factor, again and again.
        factor: what it is multiplied by.
        warmup: over how many updates it rises linearly first.
    """
    return float(ramp(updates, warmup) * factor ** (after(updates, warmup) // every))


@schedules.register(source="Goodfellow, Bengio & Courville 2016, Deep Learning, section 8.3.1")
def exponential(
    updates: int, _total: int, /, *, decay: Decay = 0.00025, warmup: Warmup = 0
) -> float:
    """lr₀·exp(−decay·updates).

    Args:
        updates: updates made before this one.
        _total: updates of the stage; not looked at.
        decay: how fast it falls; half of lr₀ is reached after ln 2/decay updates.
        warmup: over how many updates it rises linearly first.
    """
    return ramp(updates, warmup) * exp(-decay * after(updates, warmup))


@schedules.register(source="Loshchilov & Hutter 2016, arXiv:1608.03983, equation 5, no restarts")
def cosine(
    updates: int,
    total: int,
    /,
    *,
    final: Annotated[float, Field(ge=0, le=1)] = 0.0,
    warmup: Warmup = 0,
) -> float:
    """Half a cosine from lr₀ down to final·lr₀ at the end of the stage.

    That end is after the last update, as in the paper (T_cur = T_i): the last one itself is made
    a little above.

    Args:
        updates: updates made before this one.
        total: updates of the stage.
        final: the share of lr₀ that is left at the end.
        warmup: over how many updates it rises linearly first.
    """
    part = min(1.0, after(updates, warmup) / max(1, total - warmup))
    return ramp(updates, warmup) * (final + (1 - final) * (1 + cos(pi * part)) / 2)
