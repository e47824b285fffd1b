"""The client: one method a call, plain dictionaries as the API gives them."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from trainshed import address
from trainshed.downloading import CHUNK, download
from trainshed.errors import ApiError, Unreachable, problem_of
from trainshed.stream import follow

FINAL = frozenset({"succeeded", "failed", "cancelled"})
LONGEST_WAIT_SECONDS = 30
TRIES = 5

Json = dict[str, Any]


class Client:
    """A connection to one service.

    Args:
        url: its address; else TRAINSHED_URL, TRAINSHED_HOST and TRAINSHED_PORT, or the box here.
        key: the key; else TRAINSHED_ADMIN_KEY, or the file that the box wrote.

    Every method raises `ApiError` where the service refuses and `Unreachable` where none answers.
    """

    def __init__(self, url: str | None = None, key: str | None = None) -> None:
        self.url = address.url(url)
        self.http = httpx.Client(
            base_url=self.url,
            # A key is any printable string: its bytes are UTF-8.
            headers={b"Authorization": b"Bearer " + address.key(key).encode()},
            timeout=httpx.Timeout(LONGEST_WAIT_SECONDS + 30.0, connect=5.0),
            # A proxy of the environment is not for this machine.
            trust_env=not address.is_local(self.url),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.http.close()

    def submit(self, spec: Json, *, idempotency_key: str | None = None) -> Json:
        """Submit a job; a connection that breaks is tried again without making two."""
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return self._insist("/v1/jobs", spec, headers)

    def validate(self, spec: Json) -> Json:
        """Check a specification without a job."""
        return self._insist("/v1/jobs/validate", spec, {})

    def get(self, job_id: str, *, wait_seconds: float = 0) -> Json:
        """The job; with `wait_seconds` at its next change of state or phase."""
        return self._json("GET", f"/v1/jobs/{job_id}", params={"wait": wait_seconds})

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
        yield from self._pages("/v1/jobs", limit, filters)

    def follow(self, job_id: str, *, after: int = 0) -> Iterator[Json]:
        """Events as they happen, until the job has ended; each once, over broken connections.

        Between them come `{"type": "progress", "data": {…}}` without an id.
        """
        yield from follow(self.http, job_id, after)

    def events(self, job_id: str) -> Iterator[Json]:
        """What has happened so far."""
        yield from self._pages(f"/v1/jobs/{job_id}/events", None, {})

    def metrics(self, job_id: str, **parameters: Any) -> list[Json]:
        """Series of metrics: name, split, stage, after_step, points."""
        return self._json("GET", f"/v1/jobs/{job_id}/metrics", params=_given(parameters))["data"]

    def checkpoints(self, job_id: str) -> list[Json]:
        """The checkpoints that are kept."""
        return [*self._pages(f"/v1/jobs/{job_id}/checkpoints", None, {})]

    def download(
        self,
        job_id: str,
        checkpoint: str,
        path: Path,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Path:
        """Fetch a checkpoint's weights and check their digest; a broken download goes on.

        Args:
            job_id: of the job.
            checkpoint: an id, `last`, or `best_<monitor>`.
            path: the file, or a directory for it.
            progress: called with bytes so far and bytes in all.
        """
        known = self.checkpoints(job_id)
        row = next((one for one in known if checkpoint in {one["id"], one["name"]}), None)
        if row is None:
            names = ", ".join(one["name"] for one in known) or "none yet"
            raise ApiError(
                {"status": 404, "detail": f"no checkpoint {checkpoint}; there are {names}"}
            )
        if path.is_dir():
            path = path / f"{job_id}-{row['name']}.safetensors"
        return download(self.http, row["download"], path, row["sha256"], row["bytes"], progress)

    def upload_weights(
        self,
        path: Path,
        *,
        name: str | None = None,
        progress: Callable[[int, int], None] | None = None,
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
        return [*self._pages("/v1/weights", None, {})]

    def top_k(self, job_id: str, **parameters: Any) -> Json:
        """Top-k accuracies and samples: checkpoint, sample, after, limit."""
        return self._json("GET", f"/v1/jobs/{job_id}/top-k", params=_given(parameters))

    def confusion(self, job_id: str, *, checkpoint: str | None = None) -> Json:
        """How often each class was taken for each other."""
        parameters = _given({"checkpoint": checkpoint})
        return self._json("GET", f"/v1/jobs/{job_id}/confusion", params=parameters)

    def logs(self, job_id: str, **parameters: Any) -> str:
        """What the training printed: attempt, tail (bytes)."""
        return self._send("GET", f"/v1/jobs/{job_id}/logs", params=_given(parameters)).text

    def cancel(self, job_id: str) -> Json:
        """Ask that the job ends."""
        return self._json("POST", f"/v1/jobs/{job_id}/cancel")

    def retry(self, job_id: str) -> Json:
        """Submit a failed or cancelled job anew, from its last checkpoint."""
        return self._json("POST", f"/v1/jobs/{job_id}/retry")

    def datasets(self) -> list[Json]:
        """The data sets there are."""
        return [*self._pages("/v1/datasets", None, {})]

    def presets(self) -> list[Json]:
        """Specifications that can be submitted as they are, each a lesson."""
        return [*self._pages("/v1/presets", None, {})]

    def preset(self, name: str) -> Json:
        """One preset; what can be submitted is its `spec`."""
        return self._json("GET", f"/v1/presets/{quote(name, safe='')}")

    def catalog(self) -> Json:
        """What can be trained."""
        return self._json("GET", "/v1/catalog")

    def _insist(self, path: str, spec: Json, headers: dict[str, str]) -> Json:
        """Send what may be sent twice, over passing troubles."""
        # Written here, not by httpx: what JSON does not admit is for the service to refuse.
        body = json.dumps(spec).encode()
        headers = {"Content-Type": "application/json", **headers}
        for attempt in range(1, TRIES):
            try:
                return self._json("POST", path, content=body, headers=headers)
            except (Unreachable, ApiError) as error:
                if isinstance(error, ApiError) and error.status != 503:
                    raise
                time.sleep(0.2 * 2**attempt)
        return self._json("POST", path, content=body, headers=headers)

    def _pages(self, path: str, limit: int | None, filters: Json) -> Iterator[Json]:
        after: Any = None
        left = limit
        while left is None or left > 0:
            size = 100 if left is None else min(100, left)
            parameters = _given({**filters, "limit": size, "after": after})
            page = self._json("GET", path, params=parameters)
            yield from page["data"]
            if not page["has_more"]:
                return
            after = page["data"][-1]["id"]
            left = None if left is None else left - len(page["data"])

    def _json(self, method: str, path: str, **options: Any) -> Any:
        answer = self._send(method, path, **options)
        try:
            return answer.json()
        except ValueError as error:
            raise Unreachable(f"what answers at {self.url} is not Trainshed") from error

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self.http.request(method, path, **options)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Unreachable(
                f"no service answers at {self.url} ({type(error).__name__})"
            ) from error
        if answer.is_error:
            raise problem_of(answer)
        return answer


def _given(parameters: Json) -> Json:
    return {name: value for name, value in parameters.items() if value is not None}
