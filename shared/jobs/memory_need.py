"""The memory of a device that is planned for a job: its limit there, CUDA's context included."""

from shared.jobs.estimates.memory import MemoryNeed

#: CUDA's context with the handles of cuDNN and cuBLAS.
CONTEXT_MIB = 600.0
#: Images stay on the device while they and the network take at most this share of the limit.
RESIDENT_SHARE = 0.88


def planned_mib(need: MemoryNeed, data_mib: float, *, largest_mib: float) -> float:
    """Return the memory to plan for a training, in whole MiB.

    Args:
        need: what the job is predicted to allocate; measured, it includes the images.
        data_mib: the images that stay on the device.
        largest_mib: what the largest device has. A prediction that is more only by its margins is
            cut to it; images that do not fit stay outside.
    """
    if need.basis == "seen":
        return _cut(need.mib / RESIDENT_SHARE, need.mib, largest_mib)
    planned = _cut(need.mib + data_mib / RESIDENT_SHARE, need.least_mib + data_mib, largest_mib)
    if planned <= largest_mib:
        return planned
    return _cut(need.mib, need.least_mib, largest_mib)


def _cut(mib: float, least_mib: float, largest_mib: float) -> float:
    planned, least = CONTEXT_MIB + mib, CONTEXT_MIB + least_mib
    return float(round(largest_mib if planned > largest_mib >= least else planned))
