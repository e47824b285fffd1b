"""Requests about the queue and the devices."""

from trainshed.connection import Json
from trainshed.job_requests import JobRequests

PAGE = 100


class QueueRequests(JobRequests):
    """Reads the order in which jobs start, what devices do, and why a job waits."""

    def queue(self, *, limit: int = PAGE) -> Json:
        """Return the first jobs that wait, the shares of the people, and the policy.

        Args:
            limit: maximum number of jobs, at most 100.
        """
        return self._json("GET", "/v1/queue", params={"limit": limit})

    def devices(self) -> list[Json]:
        """Return the devices of all workers, with the jobs on them."""
        return list(self._pages("/v1/devices"))

    def explain(self, job_id: str) -> Json:
        """Return why a job waits and what would change that, or why it started."""
        return self._json("GET", self._job_path(job_id, "explain"))
