"""Requests about several jobs: a comparison, and the best jobs on a data set."""

from trainshed.connection import Json, without_none
from trainshed.job_requests import JobRequests


class ComparisonRequests(JobRequests):
    """The methods of the client for several jobs."""

    def compare(self, *jobs: str) -> Json:
        """Return what the specifications of 2 to 10 jobs differ in, and their metrics."""
        ids = ",".join(self.job_id(job) for job in jobs)
        return self._json("GET", "/v1/compare", params={"jobs": ids})

    def leaderboard(self, dataset: str, *, metric: str | None = None, limit: int = 20) -> Json:
        """Return the best jobs on a data set, at most 100.

        Args:
            dataset: a name, or name@version for one version.
            metric: that ranks; by default val_accuracy, or val_loss where no job has it.
            limit: maximum number of jobs.
        """
        params = without_none({"dataset": dataset, "metric": metric, "limit": limit})
        return self._json("GET", "/v1/leaderboard", params=params)

    def left_out(self, dataset: str, *, metric: str | None = None, limit: int = 20) -> Json:
        """Return the newest jobs on a data set without a rank, at most 100, and why.

        Args:
            dataset: a name, or name@version for one version.
            metric: that ranks; by default val_accuracy, or val_loss where no job has it.
            limit: maximum number of jobs.
        """
        params = without_none({"dataset": dataset, "metric": metric, "limit": limit})
        return self._json("GET", "/v1/leaderboard/left-out", params=params)
