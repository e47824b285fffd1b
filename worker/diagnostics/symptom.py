"""What a rule returns: the symptom of a fault, with its evidence and the patches to try."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]
Direction = Literal["above", "below"]
#: A layer and its value of the statistic.
LayerValue = tuple[str, float]
#: The most layers that a finding lists.
MAX_LAYERS = 5


@dataclass(frozen=True, kw_only=True)
class Symptom:
    """A statistic beyond its threshold."""

    severity: Severity
    #: What is wrong, with the number, as a sentence without its full stop.
    sentence: str
    statistic: str
    value: float
    threshold: float
    direction: Direction
    samples: int | None = None
    #: The layers where it shows, the worst first.
    layers: tuple[LayerValue, ...] = ()
    #: The statistic over steps.
    series: tuple[tuple[int, float], ...] = ()
    #: Further numbers by name.
    details: Mapping[str, Any] = field(default_factory=dict)
    #: The names of patches in `patches.PATCHES`, the most promising first.
    patches: tuple[str, ...] = ()
    #: What to do where no change of the specification can cure it.
    next: str | None = None
    #: Whether a single hit is enough to report it.
    is_certain: bool = False


def worst(
    layers: Iterable[LayerValue], *, highest: bool = True, limit: int = MAX_LAYERS
) -> tuple[LayerValue, ...]:
    """Return the layers with the most extreme values."""
    return tuple(sorted(layers, key=lambda layer: layer[1], reverse=highest)[:limit])


def number(value: float) -> str:
    """Return a number for a sentence: three digits, and powers of ten where they are clearer."""
    if value and isfinite(value) and not 1e-3 <= abs(value) < 1e5:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{mantissa}e{int(exponent)}"
    if isfinite(value) and abs(value) >= 1e3:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


def percent(share: float) -> str:
    """Return a share for a sentence."""
    return f"{100 * share:.0f} %" if share >= 0.02 else f"{100 * share:.1f} %"
