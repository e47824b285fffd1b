"""The devices on which a job continues its checkpoint bit for bit: devices of the same model."""

from collections.abc import Iterable

from shared.jobs.planning.box import UNUSABLE, Device, WaitingJob

#: A model counts as missing once a job has waited this long for it: a worker that starts again is
#: away for a moment.
MISSING_SECONDS = 60.0
#: A job that may continue on another model waits this long for a busy device of its own.
INEXACT_SECONDS = 3_600.0


class Exactness:
    """Which devices suit the checkpoints of waiting jobs.

    Args:
        now: as of the box.
        devices: all devices of the box.
    """

    def __init__(self, now: float, devices: Iterable[Device]) -> None:
        self._now = now
        self._models = {device.model for device in devices if device.closed not in UNUSABLE}

    def suits(self, job: WaitingJob, device: Device) -> bool:
        """Return whether the job may start on the device now."""
        if not job.placement or device.model == job.placement:
            return True
        return job.allow_inexact and (self.is_missing(job) or self._waited(job) >= INEXACT_SECONDS)

    def is_missing(self, job: WaitingJob) -> bool:
        """Return whether the job has waited for a while, and no usable device has its model."""
        if not job.placement or job.placement in self._models:
            return False
        return self._waited(job) >= MISSING_SECONDS

    def _waited(self, job: WaitingJob) -> float:
        return self._now - job.eligible_at
