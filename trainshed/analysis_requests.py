"""Requests about analyses: start, list, read, cancel, download."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from trainshed.connection import MAX_WAIT_SECONDS, Json, to_json, without_none
from trainshed.downloads import Target, download, target_file
from trainshed.errors import not_found
from trainshed.event_stream import FINAL_STATES
from trainshed.job_requests import JobRequests

#: Between two reads of an analysis whose progress is shown.
PROGRESS_SECONDS = 1.0


class AnalysisRequests(JobRequests):
    """The methods of the client for analyses."""

    def analyse(
        self,
        job_id: str,
        kind: str,
        *,
        checkpoint: str = "last",
        max_runtime_seconds: int | None = None,
        **parameters: Any,
    ) -> Json:
        """Request an analysis of a checkpoint and return it; an equal earlier one is returned.

        Args:
            job_id: the job.
            kind: such as `curvature`; the catalogue's slot `analyses` has all of them.
            checkpoint: an id or a name, such as `last` or `best_val_loss`.
            max_runtime_seconds: None for the limit of the job.
            **parameters: of the kind.
        """
        limit = without_none({"max_runtime_seconds": max_runtime_seconds})
        body = to_json({"kind": kind, "checkpoint": checkpoint, **limit, **parameters})
        return self._post_with_retry(self._job_path(job_id, "analyses"), {}, body)

    def analyses(
        self, job_id: str | None = None, *, limit: int | None = None, **filters: Any
    ) -> list[Json]:
        """Return analyses, newest first.

        Args:
            job_id: the analysed job; None for all jobs.
            limit: the longest list; None for all.
            **filters: `kind`, `state` and `owner`.
        """
        job = None if job_id is None else self.job_id(job_id)
        return [*self._pages("/v1/analyses", limit, job=job, **filters)]

    def analysis(self, analysis_id: str, *, wait_seconds: float = 0) -> Json:
        """Return an analysis; with `wait_seconds` at its next change of state."""
        path, query = _path(analysis_id), {"wait": wait_seconds}
        return self._json("GET", path, params=query)

    def analysis_logs(
        self, analysis_id: str, *, attempt: int | None = None, tail: int | None = None
    ) -> str:
        """Return the output of an attempt, by default of the newest; `tail` is in bytes."""
        query = without_none({"attempt": attempt, "tail": tail})
        return self._send("GET", f"{_path(analysis_id)}/logs", params=query).text

    def cancel_analysis(self, analysis_id: str) -> Json:
        """Request the end of an analysis; return it."""
        return self._json("POST", f"{_path(analysis_id)}/cancel")

    def wait_for_analysis(
        self,
        analysis_id: str,
        *,
        timeout_seconds: float | None = None,
        on_change: Callable[[Json], None] | None = None,
    ) -> Json:
        """Return an analysis once it has ended.

        Args:
            analysis_id: the analysis.
            timeout_seconds: the longest wait; None for none.
            on_change: called about every second with the analysis.

        Raises:
            TimeoutError: it has not ended in time.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        longest = MAX_WAIT_SECONDS if on_change is None else PROGRESS_SECONDS
        while True:
            left = longest if deadline is None else deadline - time.monotonic()
            analysis = self.analysis(analysis_id, wait_seconds=max(0.0, min(longest, left)))
            if on_change is not None:
                on_change(analysis)
            if analysis["state"] in FINAL_STATES:
                return analysis
            if deadline is not None and time.monotonic() >= deadline:
                state = analysis["state"]
                raise TimeoutError(f"{analysis_id} is {state} after {timeout_seconds} seconds.")

    def download_analysis(
        self,
        analysis_id: str,
        name: str,
        path: Target,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Path:
        """Download a file of an analysis by its name and check its digest; return the file.

        Args:
            analysis_id: the analysis.
            name: of the file, as `artifacts` lists it.
            path: the file, or a directory: an existing directory, or a text that ends with `/`.
            progress: called with the bytes so far and the total.
        """
        rows = self.analysis(analysis_id)["artifacts"]
        row = next((row for row in rows if row["name"] == name), None)
        if row is None:
            raise not_found(f"file {name!r}", [row["name"] for row in rows])
        file = target_file(path, f"{analysis_id}-{row['name']}")
        return download(self.http, row["download"], file, row["sha256"], row["bytes"], progress)


def _path(analysis_id: str) -> str:
    return f"/v1/analyses/{quote(analysis_id, safe='')}"
