"""Requests about jobs, which are named by id, a beginning of an id, or a name."""

from collections.abc import Iterator

from trainshed.connection import Connection, Json
from trainshed.job_names import ID, MAX_SHOWN, the_only_job


class JobRequests(Connection):
    """Lists jobs and finds the job that a caller names."""

    def jobs(
        self,
        *,
        limit: int | None = None,
        kind: str | None = None,
        state: str | None = None,
        owner: str | None = None,
        tag: str | None = None,
        dataset: str | None = None,
        sweep: str | None = None,
        named: str | None = None,
    ) -> Iterator[Json]:
        """Yield the jobs that match every filter, newest first.

        `tag` is key or key:value; `named` is a name, or the beginning of an id. Jobs that check a
        patch have the kind `verification`; without a kind they are left out.
        """
        filters = {"kind": kind, "state": state, "owner": owner, "tag": tag}
        filters |= {"dataset": dataset, "sweep": sweep, "named": named}
        yield from self._pages("/v1/jobs", limit, **filters)

    def job_id(self, job: str) -> str:
        """Return the id of a job that is given by its name, or by a beginning of its id.

        Raises:
            ApiError: there is no such job.
            WrongUsage: there are several.
        """
        if ID.fullmatch(job):
            return job
        return the_only_job(job, [*self.jobs(named=job, limit=MAX_SHOWN + 1)])

    def _job_path(self, job: str, part: str = "") -> str:
        return f"/v1/jobs/{self.job_id(job)}" + (f"/{part}" if part else "")
