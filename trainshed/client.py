"""The client: one method per request; results are plain dictionaries as the API returns them."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from trainshed.account_requests import AccountRequests
from trainshed.analysis_requests import AnalysisRequests
from trainshed.backup_requests import BackupRequests
from trainshed.comparison_requests import ComparisonRequests
from trainshed.connection import MAX_WAIT_SECONDS, Json, to_json, without_none
from trainshed.dataset_requests import DatasetRequests
from trainshed.downloads import CHUNK_BYTES
from trainshed.event_stream import FINAL_STATES, follow
from trainshed.frames import metrics_frame
from trainshed.job_results import JobResults, Progress
from trainshed.queue_requests import QueueRequests


class Client(
    JobResults,
    AccountRequests,
    AnalysisRequests,
    BackupRequests,
    ComparisonRequests,
    DatasetRequests,
    QueueRequests,
):
    """A client of a service.

    Args:
        url: the service's address; otherwise TRAINSHED_URL, then TRAINSHED_HOST and
            TRAINSHED_PORT, then the address of the local box, then the service of the last
            `trainshed login`.
        key: the key; otherwise TRAINSHED_ADMIN_KEY, then the key of `trainshed login`, then the
            key of the local box.

    A job is given by its id, by a beginning of its id or by its name, where only one job has it.
    Every method raises `ApiError` if the service refuses the request, and `Unreachable` if no
    service answers.
    """

    def submit(self, spec: Json, *, idempotency_key: str | None = None) -> Json:
        """Submit a job and return it; a broken connection is retried without a second job."""
        return self._post_with_retry("/v1/jobs", _idempotency(idempotency_key), to_json(spec))

    def validate(self, spec: Json) -> Json:
        """Check a specification without submitting it; return it with all defaults filled in."""
        return self._post_with_retry("/v1/jobs/validate", {}, to_json(spec))

    def get(self, job_id: str, *, wait_seconds: float = 0) -> Json:
        """Return the job; with `wait_seconds` at its next change of state or phase."""
        return self._json("GET", self._job_path(job_id), params={"wait": wait_seconds})

    def wait(self, job_id: str, *, timeout_seconds: float | None = None) -> Json:
        """Return the job once it has ended.

        Raises:
            TimeoutError: it has not ended in time.
        """
        job_id = self.job_id(job_id)
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            seconds = MAX_WAIT_SECONDS
            if deadline is not None:
                seconds = max(0.0, min(seconds, deadline - time.monotonic()))
            job = self.get(job_id, wait_seconds=seconds)
            if job["state"] in FINAL_STATES:
                return job
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"{job_id} is {job['state']} after {timeout_seconds} seconds.")

    def follow(self, job_id: str, *, after: int = 0) -> Iterator[Json]:
        """Yield events as they happen until the job has ended, each once; resume after a break.

        Between the events come `{"type": "progress", "data": {…}}` without an id.
        """
        yield from follow(self.http, self.job_id(job_id), after)

    def events(self, job_id: str) -> Iterator[Json]:
        """Yield the events so far."""
        yield from self._pages(self._job_path(job_id, "events"))

    def metrics(
        self,
        job_id: str,
        *,
        name: str | None = None,
        split: str | None = None,
        stage: str | None = None,
        after_step: int | None = None,
        from_epoch: int | None = None,
        to_epoch: int | None = None,
        points: int | None = None,
        as_frame: bool = False,
    ) -> Any:
        """Return the series of metrics, each with its points.

        Args:
            job_id: the job.
            name: only this metric.
            split: only metrics of this split.
            stage: only this stage.
            after_step: only points after this step.
            from_epoch: only points of this epoch and later epochs.
            to_epoch: only points of this epoch and earlier epochs.
            points: about how many points of each series; default: all.
            as_frame: return a pandas frame instead, with a row for each point.

        Raises:
            ImportError: `as_frame`, and pandas is not installed.
        """
        query = {"name": name, "split": split, "stage": stage}
        query |= {"after_step": after_step, "from_epoch": from_epoch, "to_epoch": to_epoch}
        query["points"] = points
        path = self._job_path(job_id, "metrics")
        series = self._json("GET", path, params=without_none(query))["data"]
        return metrics_frame(series) if as_frame else series

    def logs(self, job_id: str, *, attempt: int | None = None, tail: int | None = None) -> str:
        """Return the output of an attempt, by default of the newest; `tail` is in bytes."""
        query = without_none({"attempt": attempt, "tail": tail})
        return self._send("GET", self._job_path(job_id, "logs"), params=query).text

    def cancel(self, job_id: str) -> Json:
        """Request the job's end; return the job."""
        return self._json("POST", self._job_path(job_id, "cancel"))

    def pause(self, job_id: str) -> Json:
        """Request that the job stops with a checkpoint and waits; return the job."""
        return self._json("POST", self._job_path(job_id, "pause"))

    def resume(self, job_id: str) -> Json:
        """Queue a paused job, which continues where it stopped; return the job."""
        return self._json("POST", self._job_path(job_id, "resume"))

    def update(self, job_id: str, changes: Json) -> Json:
        """Change priority, tags, notes, max_runtime_seconds or allow_inexact; return the job.

        Args:
            job_id: the job.
            changes: new values of some of these fields. Null stands for a field's default; `tags`
                changes the given tags only, and null removes a tag.
        """
        return self._json(
            "PATCH",
            self._job_path(job_id),
            content=to_json(changes),
            headers={"Content-Type": "application/merge-patch+json"},
        )

    def delete(self, job_id: str) -> Json:
        """Delete a job that has ended, with all its files; return its id and the bytes freed."""
        return self._json("DELETE", self._job_path(job_id))

    def retry(self, job_id: str, *, idempotency_key: str | None = None) -> Json:
        """Submit a failed or cancelled job again, from its last checkpoint; return the new job."""
        path = self._job_path(job_id, "retry")
        return self._post_with_retry(path, _idempotency(idempotency_key), None)

    def preview(self, spec: Json, *, count: int | None = None) -> bytes:
        """Return a PNG of training images before and after the augmentation of a specification."""
        body = {name: spec[name] for name in ("dataset", "augmentation", "seed") if name in spec}
        return self._send(
            "POST",
            "/v1/augmentation/preview",
            content=to_json({**body, **without_none({"count": count})}),
            headers={"Content-Type": "application/json"},
        ).content

    def upload_weights(
        self, path: Path, *, name: str | None = None, progress: Progress | None = None
    ) -> Json:
        """Upload a safetensors file for fine-tuning; it is read in chunks.

        Args:
            path: the file.
            name: the name that people read; default: the file's name.
            progress: called with the bytes so far and the total.
        """
        size = path.stat().st_size

        def chunks() -> Iterator[bytes]:
            sent = 0
            with path.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
                    sent += len(chunk)
                    if progress is not None:
                        progress(sent, size)

        return self._json(
            "POST",
            "/v1/weights",
            params={"name": name or path.name},
            content=chunks(),
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(size)},
        )

    def weights(self) -> list[Json]:
        """Return the uploaded weights."""
        return [*self._pages("/v1/weights")]

    def presets(self) -> list[Json]:
        """Return the presets: specifications to submit as they are, each a lesson."""
        return [*self._pages("/v1/presets")]

    def lessons(self) -> list[Json]:
        """Return the lessons of the diagnostics: faulty specifications with healthy twins."""
        return [*self._pages("/v1/presets", kind="lesson")]

    def preset(self, name: str) -> Json:
        """Return a preset; its `spec` can be submitted."""
        return self._json("GET", f"/v1/presets/{quote(name, safe='')}")

    def login_link(self, page: str = "/") -> str:
        """Return an address that opens a page in a browser and logs in once, without a key."""
        link = self._json("POST", "/v1/login-links")
        return f"{self.url}{link['path']}&next={quote(page, safe='')}"

    def catalog(self) -> Json:
        """Return the catalogue of methods."""
        return self._json("GET", "/v1/catalog")


def _idempotency(key: str | None) -> dict[str, str]:
    """Return the header by which repeated requests make one job."""
    return {"Idempotency-Key": key or str(uuid4())}
