"""Requests about the findings of jobs, and forks."""

from typing import Any
from urllib.parse import quote
from uuid import uuid4

from trainshed.connection import Json, to_json, without_none
from trainshed.job_requests import JobRequests


class FindingRequests(JobRequests):
    """Reads what was found in a training, and submits changed specifications."""

    def findings(self, job_id: str) -> list[Json]:
        """Return the findings of a job, roots before what they explain."""
        return [*self._pages(self._job_path(job_id, "findings"))]

    def finding(self, finding_id: str) -> Json:
        """Return a finding, with the checks of its patches."""
        return self._json("GET", f"/v1/findings/{quote(finding_id, safe='')}")

    def verify(self, finding_id: str, patch: str | None = None) -> Json:
        """Check a patch of a finding by training; return the finding.

        Args:
            finding_id: the finding.
            patch: the id of one of its patches, by default the first.
        """
        body = to_json(without_none({"patch": patch}))
        return self._post_with_retry(f"/v1/findings/{quote(finding_id, safe='')}/verify", {}, body)

    def fork(
        self,
        job_id: str,
        *,
        patch: list[Json] | str | None = None,
        finding: str | None = None,
        from_checkpoint: str | None = None,
        idempotency_key: str | None = None,
    ) -> Json:
        """Submit a job's specification with changes; return the new job.

        Args:
            job_id: the job.
            patch: JSON Patch (RFC 6902); with a finding the id of one of its patches, by default
                the first.
            finding: the id of a finding of the job.
            from_checkpoint: a checkpoint of the job to continue from.
            idempotency_key: requests with the same key have the effect of a single request.
        """
        fields = {"patch": patch, "finding": finding, "from_checkpoint": from_checkpoint}
        body: dict[str, Any] = without_none(fields)
        headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
        return self._post_with_retry(self._job_path(job_id, "fork"), headers, to_json(body))
