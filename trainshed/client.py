"""The client: one method per request; results are plain dictionaries as the API returns them."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from trainshed.connection import MAX_WAIT_SECONDS, Connection, Json, to_json, without_none
from trainshed.downloads import CHUNK_BYTES, Target, download, target_file
from trainshed.errors import not_found
from trainshed.event_files import download_event_files
from trainshed.event_stream import FINAL_STATES, follow

#: Called with the bytes so far and the total.
Progress = Callable[[int, int], None]


class Client(Connection):
    """A client of a service.

    Args:
        url: the service's address; otherwise TRAINSHED_URL, then TRAINSHED_HOST and
            TRAINSHED_PORT, then the address of the local box.
        key: the key; otherwise TRAINSHED_ADMIN_KEY, then the key of the local box.

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
        return self._json("GET", _job_path(job_id), params={"wait": wait_seconds})

    def wait(self, job_id: str, *, timeout_seconds: float | None = None) -> Json:
        """Return the job once it has ended.

        Raises:
            TimeoutError: it has not ended in time.
        """
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

    def jobs(self, *, limit: int | None = None, **filters: str | None) -> Iterator[Json]:
        """Yield jobs, newest first. Filters: state, owner, tag, dataset, sweep."""
        yield from self._pages("/v1/jobs", limit, **filters)

    def follow(self, job_id: str, *, after: int = 0) -> Iterator[Json]:
        """Yield events as they happen until the job has ended, each once.

        Broken connections are resumed. Between the events come `{"type": "progress", "data": {…}}`
        without an id.
        """
        yield from follow(self.http, quote(job_id, safe=""), after)

    def events(self, job_id: str) -> Iterator[Json]:
        """Yield the events so far."""
        yield from self._pages(_job_path(job_id, "events"))

    def metrics(self, job_id: str, **filters: Any) -> list[Json]:
        """Return the series of metrics. Filters: name, split, stage, after_step, points."""
        query = without_none(filters)
        return self._json("GET", _job_path(job_id, "metrics"), params=query)["data"]

    def logs(self, job_id: str, **filters: Any) -> str:
        """Return the output of an attempt. Filters: attempt, tail (bytes)."""
        return self._send("GET", _job_path(job_id, "logs"), params=without_none(filters)).text

    def cancel(self, job_id: str) -> Json:
        """Request the job's end; return the job."""
        return self._json("POST", _job_path(job_id, "cancel"))

    def retry(self, job_id: str, *, idempotency_key: str | None = None) -> Json:
        """Submit a failed or cancelled job again, from its last checkpoint; return the new job."""
        path = _job_path(job_id, "retry")
        return self._post_with_retry(path, _idempotency(idempotency_key), None)

    def top_k(self, job_id: str, **filters: Any) -> Json:
        """Return accuracies, mistakes and samples. Filters: checkpoint, sample, after, limit."""
        return self._json("GET", _job_path(job_id, "top-k"), params=without_none(filters))

    def confusion(self, job_id: str, *, checkpoint: str | None = None) -> Json:
        """Return the confusion matrix: how often each class was predicted for each label."""
        query = without_none({"checkpoint": checkpoint})
        return self._json("GET", _job_path(job_id, "confusion"), params=query)

    def checkpoints(self, job_id: str) -> list[Json]:
        """Return the stored checkpoints."""
        return [*self._pages(_job_path(job_id, "checkpoints"))]

    def download(
        self, job_id: str, checkpoint: str, path: Target, *, progress: Progress | None = None
    ) -> Path:
        """Download a checkpoint's weights and check their digest; return the file.

        An interrupted download resumes.

        Args:
            job_id: the job.
            checkpoint: an id, `last`, or `best_<monitor>`.
            path: the file, or a directory: an existing directory, or a text that ends with `/`.
            progress: called with the bytes so far and the total.
        """
        available = self.checkpoints(job_id)
        row = _find(available, checkpoint)
        if row is None:
            raise not_found(f"checkpoint {checkpoint!r}", [row["name"] for row in available])
        file = target_file(path, f"{job_id}-{row['name']}.safetensors")
        return download(self.http, row["download"], file, row["sha256"], row["bytes"], progress)

    def artifacts(self, job_id: str) -> list[Json]:
        """Return the files of the job's results."""
        return [*self._pages(_job_path(job_id, "artifacts"))]

    def download_artifact(
        self, job_id: str, name: str, path: Target, *, progress: Progress | None = None
    ) -> Path:
        """Download a file of the results by name or id; arguments like `download`."""
        available = self.artifacts(job_id)
        row = _find(available, name)
        if row is None:
            raise not_found(f"artifact {name!r}", [row["name"] for row in available])
        file = target_file(path, f"{job_id}-{row['name']}")
        return download(self.http, row["download"], file, row["sha256"], row["bytes"], progress)

    def tensorboard(
        self,
        job_id: str,
        directory: Target | None = None,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> Path:
        """Download the job's event files; return the directory for `tensorboard --logdir`.

        Args:
            job_id: the job.
            directory: the directory, default `JOB-tensorboard`. Each job has a folder in it, so
                that TensorBoard compares the jobs of one directory.
            progress: called with the bytes so far; the total is unknown.
        """
        log_directory = Path(f"{job_id}-tensorboard" if directory is None else directory)
        url = _job_path(job_id, "tensorboard")
        download_event_files(self.http, url, log_directory, job_id, progress)
        return log_directory

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

    def datasets(self) -> list[Json]:
        """Return the data sets."""
        return [*self._pages("/v1/datasets")]

    def presets(self) -> list[Json]:
        """Return the presets: specifications to submit as they are, each a lesson."""
        return [*self._pages("/v1/presets")]

    def preset(self, name: str) -> Json:
        """Return a preset; its `spec` can be submitted."""
        return self._json("GET", f"/v1/presets/{quote(name, safe='')}")

    def catalog(self) -> Json:
        """Return the catalogue of methods."""
        return self._json("GET", "/v1/catalog")


def _idempotency(key: str | None) -> dict[str, str]:
    """Return the header by which repeated requests make one job."""
    return {"Idempotency-Key": key or str(uuid4())}


def _job_path(job_id: str, part: str = "") -> str:
    return f"/v1/jobs/{quote(job_id, safe='')}" + (f"/{part}" if part else "")


def _find(rows: list[Json], name_or_id: str) -> Json | None:
    return next((row for row in rows if name_or_id in {row["id"], row["name"]}), None)
