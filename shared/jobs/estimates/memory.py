"""How much memory a job needs on its device, from the peaks of attempts that have ended.

Pure functions. An upper bound: a job that needs more is out of memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from shared.jobs.estimates.durations import Basis, Observation

#: Above the largest peak of the same kind: with few attempts a larger one may still come.
MARGIN_OF_FEW, MARGIN_OF_KIND = 1.15, 1.05
ENOUGH_ATTEMPTS = 3
#: Real peaks over the network's predicted memory where none has been measured.
COLD_RATIO = 1.35
#: What the libraries' workspaces may add.
MARGIN_MIB = 256.0


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """An upper bound of what a job allocates on its device, without the driver's context."""

    mib: float
    basis: Basis
    #: How many attempts it is based on.
    attempts: int
    #: Without the margins: it certainly needs this.
    least_mib: float = 0.0


def predict_memory(
    *,
    seen: Sequence[Observation],
    architecture: Sequence[Observation] = (),
    network_mib: float | None = None,
) -> MemoryNeed | None:
    """Return how much memory a job needs; None if neither attempts nor a prediction tell.

    Args:
        seen: attempts of the same kind on the device's model.
        architecture: attempts of the same architecture on the device's model.
        network_mib: the predicted memory of weights, optimizer and a step, from the sidecar.
    """
    peaks = [row.peak_memory_mib for row in seen if row.peak_memory_mib is not None]
    if peaks:
        margin = MARGIN_OF_KIND if len(peaks) >= ENOUGH_ATTEMPTS else MARGIN_OF_FEW
        return MemoryNeed(max(peaks) * margin, "seen", len(peaks), max(peaks))
    if network_mib is None:
        return None
    ratios = [
        row.peak_memory_mib / row.network_mib
        for row in architecture
        if row.peak_memory_mib is not None and row.network_mib
    ]
    if len(ratios) < ENOUGH_ATTEMPTS:
        mib = network_mib * COLD_RATIO + MARGIN_MIB
        return MemoryNeed(mib, "cold", len(ratios), network_mib)
    # Never less than the network itself: the ratios may all come from smaller batches.
    ratio = max(1.0, sorted(ratios)[ceil(0.95 * len(ratios)) - 1])
    return MemoryNeed(network_mib * ratio + MARGIN_MIB, "architecture", len(ratios), network_mib)
