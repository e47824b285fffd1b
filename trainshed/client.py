"""The client: one method a call, plain dictionaries as the API gives them."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from trainshed import event_files
from trainshed.connection import LONGEST_WAIT_SECONDS, Connection, Json, given, written
from trainshed.downloading import CHUNK, Where, download, place
from trainshed.errors import not_found
from trainshed.stream import follow

FINAL = frozenset({"succeeded", "failed", "cancelled"})

#: Called with bytes so far and bytes in all.
Progress = Callable[[int, int], None]


class Client(Connection):
    """A connection to one service.

    Args:
        url: its address; else TRAINSHED_URL, TRAINSHED_HOST and TRAINSHED_PORT, or the box here.
        key: the key; else TRAINSHED_ADMIN_KEY, or the file that the box wrote.

    Every method raises `ApiError` where the service refuses and `Unreachable` where none answers.
    """

    def submit(self, spec: Json, *, idempotency_key: str | None = None) -> Json:
        """Submit a job; a connection that breaks is tried again without making two."""
        return self._insist("/v1/jobs", _once(idempotency_key), written(spec))

    def validate(self, spec: Json) -> Json:
        """Check a specification without a job."""
        return self._insist("/v1/jobs/validate", {}, written(spec))

    def get(self, job_id: str, *, wait_seconds: float = 0) -> Json:
        """The job; with `wait_seconds` at its next change of state or phase."""
        return self._json("GET", _at(job_id), params={"wait": wait_seconds})

    def wait(self, job_id: str, *, timeout_seconds: float | None = None) -> Json:
        """The job once it has ended.

        Raises:
            TimeoutError: it had not in time.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            left = LONGEST_WAIT_SECONDS
            if deadline is not None:
                left = max(0.0, min(left, deadline - time.monotonic()))
            job = self.get(job_id, wait_seconds=left)
            if job["state"] in FINAL:
                return job
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"{job_id} is {job['state']} after {timeout_seconds} seconds")

    def jobs(self, *, limit: int | None = None, **filters: str | None) -> Iterator[Json]:
        """Jobs, newest first, page after page. Filters: state, owner, tag, dataset, sweep."""
        yield from self._pages("/v1/jobs", limit, **filters)

    def follow(self, job_id: str, *, after: int = 0) -> Iterator[Json]:
        """Events as they happen, until the job has ended; each once, over broken connections.

        Between them come `{"type": "progress", "data": {…}}` without an id.
        """
        yield from follow(self.http, quote(job_id, safe=""), after)

    def events(self, job_id: str) -> Iterator[Json]:
        """What has happened so far."""
        yield from self._pages(_at(job_id, "events"))

    def metrics(self, job_id: str, **parameters: Any) -> list[Json]:
        """Series of metrics: name, split, stage, after_step, points."""
        return self._json("GET", _at(job_id, "metrics"), params=given(parameters))["data"]

    def logs(self, job_id: str, **parameters: Any) -> str:
        """What the training printed: attempt, tail (bytes)."""
        return self._send("GET", _at(job_id, "logs"), params=given(parameters)).text

    def cancel(self, job_id: str) -> Json:
        """Ask that the job ends."""
        return self._json("POST", _at(job_id, "cancel"))

    def retry(self, job_id: str, *, idempotency_key: str | None = None) -> Json:
        """Submit a failed or cancelled job anew, from its last checkpoint; never twice."""
        return self._insist(_at(job_id, "retry"), _once(idempotency_key))

    def top_k(self, job_id: str, **parameters: Any) -> Json:
        """Accuracies, mistakes, and samples: checkpoint, sample, after, limit."""
        return self._json("GET", _at(job_id, "top-k"), params=given(parameters))

    def confusion(self, job_id: str, *, checkpoint: str | None = None) -> Json:
        """How often each class was taken for each other."""
        parameters = given({"checkpoint": checkpoint})
        return self._json("GET", _at(job_id, "confusion"), params=parameters)

    def checkpoints(self, job_id: str) -> list[Json]:
        """The checkpoints that are kept."""
        return [*self._pages(_at(job_id, "checkpoints"))]

    def download(
        self, job_id: str, checkpoint: str, path: Where, *, progress: Progress | None = None
    ) -> Path:
        """Fetch a checkpoint's weights and check their digest; a broken download goes on.

        Args:
            job_id: of the job.
            checkpoint: an id, `last`, or `best_<monitor>`.
            path: the file, or a directory for it: one that exists, or a text that ends with /.
            progress: called with bytes so far and bytes in all.
        """
        known = self.checkpoints(job_id)
        row = next((one for one in known if checkpoint in {one["id"], one["name"]}), None)
        if row is None:
            raise not_found(f"checkpoint {checkpoint!r}", [one["name"] for one in known])
        file = place(path, f"{job_id}-{row['name']}.safetensors")
        return download(self.http, row["download"], file, row["sha256"], row["bytes"], progress)

    def artifacts(self, job_id: str) -> list[Json]:
        """The files of results."""
        return [*self._pages(_at(job_id, "artifacts"))]

    def download_artifact(
        self, job_id: str, name: str, path: Where, *, progress: Progress | None = None
    ) -> Path:
        """Fetch a file of results and check its digest; arguments as of `download`."""
        known = self.artifacts(job_id)
        row = next((one for one in known if name in {one["id"], one["name"]}), None)
        if row is None:
            raise not_found(f"artifact {name!r}", [one["name"] for one in known])
        file = place(path, f"{job_id}-{row['name']}")
        return download(self.http, row["download"], file, row["sha256"], row["bytes"], progress)

    def tensorboard(
        self,
        job_id: str,
        directory: Where | None = None,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> Path:
        """Fetch the job's event files into a folder of its own; return the folder around it.

        Args:
            job_id: of the job.
            directory: what `tensorboard --logdir` takes: jobs that are fetched into one are shown
                beside each other. `JOB-tensorboard` unless given.
            progress: called with bytes so far; how many there will be nobody knows.
        """
        around = Path(f"{job_id}-tensorboard" if directory is None else directory)
        event_files.fetch(self.http, _at(job_id, "tensorboard"), around, job_id, progress)
        return around

    def upload_weights(
        self, path: Path, *, name: str | None = None, progress: Progress | None = None
    ) -> Json:
        """Send a safetensors file to fine-tune from; never read into memory as a whole.

        Args:
            path: the file.
            name: what people will see; the file's own unless given.
            progress: called with bytes so far and bytes in all.
        """
        size = path.stat().st_size

        def chunks() -> Iterator[bytes]:
            sent = 0
            with path.open("rb") as file:
                while chunk := file.read(CHUNK):
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
        """The uploads."""
        return [*self._pages("/v1/weights")]

    def datasets(self) -> list[Json]:
        """The data sets there are."""
        return [*self._pages("/v1/datasets")]

    def presets(self) -> list[Json]:
        """Specifications that can be submitted as they are, each a lesson."""
        return [*self._pages("/v1/presets")]

    def preset(self, name: str) -> Json:
        """One preset; what can be submitted is its `spec`."""
        return self._json("GET", f"/v1/presets/{quote(name, safe='')}")

    def catalog(self) -> Json:
        """What can be trained."""
        return self._json("GET", "/v1/catalog")


def _once(key: str | None) -> dict[str, str]:
    """What makes two tries of one request one job."""
    return {"Idempotency-Key": key or str(uuid4())}


def _at(job_id: str, what: str = "") -> str:
    return f"/v1/jobs/{quote(job_id, safe='')}" + (f"/{what}" if what else "")
