"""The results of a job: test results, checkpoints, files, and predictions for new samples."""

import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from trainshed.connection import Json, without_none
from trainshed.downloads import Target, download, target_file
from trainshed.errors import ApiError, not_found
from trainshed.event_files import download_event_files
from trainshed.finding_requests import FindingRequests
from trainshed.prediction_input import prediction_bodies

#: Called with the bytes so far and the total.
Progress = Callable[[int, int], None]
#: A busy service is asked again so many times, after so long.
MAX_BUSY, BUSY_SECONDS = 10, 2.0
#: Longer than the service takes to say that it is busy.
LONG_SECONDS = 90.0
Result = TypeVar("Result")


class JobResults(FindingRequests):
    """Reads and downloads the results of jobs."""

    def top_k(
        self,
        job_id: str,
        *,
        checkpoint: str | None = None,
        sample: int | None = None,
        after: int | None = None,
        limit: int | None = None,
    ) -> Json:
        """Return accuracies, mistakes and samples of the test split."""
        query = {"checkpoint": checkpoint, "sample": sample, "after": after, "limit": limit}
        return self._json("GET", self._job_path(job_id, "top-k"), params=without_none(query))

    def confusion(self, job_id: str, *, checkpoint: str | None = None) -> Json:
        """Return the confusion matrix: how often each class was predicted for each label."""
        query = without_none({"checkpoint": checkpoint})
        return self._json("GET", self._job_path(job_id, "confusion"), params=query)

    def mistakes(
        self,
        job_id: str,
        *,
        checkpoint: str | None = None,
        after: int | None = None,
        limit: int | None = None,
    ) -> Json:
        """Return the test samples that are predicted wrong, the most confident first."""
        query = {"checkpoint": checkpoint, "after": after, "limit": limit}
        path = self._job_path(job_id, "top-k/mistakes")
        return self._json("GET", path, params=without_none(query))

    def mistakes_sheet(
        self,
        job_id: str,
        *,
        checkpoint: str | None = None,
        after: int | None = None,
        limit: int | None = None,
    ) -> bytes:
        """Return a PNG of the samples that `mistakes` returns, with captions."""
        query = {"checkpoint": checkpoint, "after": after, "limit": limit, "format": "sheet"}
        path = self._job_path(job_id, "top-k/mistakes")
        return self._send("GET", path, params=without_none(query)).content

    def sample_picture(self, job_id: str, sample: int) -> bytes:
        """Return the picture of a test sample as a PNG."""
        return self._send("GET", self._job_path(job_id, f"top-k/samples/{sample}.png")).content

    def cell(
        self,
        job_id: str,
        label: str | int,
        predicted: str | int,
        *,
        checkpoint: str | None = None,
        after: int | None = None,
        limit: int | None = None,
    ) -> Json:
        """Return the test samples of a class that are predicted as a class.

        Args:
            job_id: the job.
            label: the name or number of the samples' class.
            predicted: the name or number of the predicted class.
            checkpoint: an id, `last` or `best_<monitor>`; default: the first best.
            after: how many samples to skip.
            limit: how many samples to return, 1 to 100.
        """
        query = {"checkpoint": checkpoint, "after": after, "limit": limit}
        path = self._cell_path(job_id, label, predicted)
        return self._json("GET", path, params=without_none(query))

    def cell_sheet(
        self,
        job_id: str,
        label: str | int,
        predicted: str | int,
        *,
        checkpoint: str | None = None,
        after: int | None = None,
        limit: int | None = None,
    ) -> bytes:
        """Return a PNG of the samples that `cell` returns, with captions."""
        query = {"checkpoint": checkpoint, "after": after, "limit": limit, "format": "sheet"}
        path = self._cell_path(job_id, label, predicted)
        return self._send("GET", path, params=without_none(query)).content

    def _cell_path(self, job_id: str, *classes: str | int) -> str:
        names = "/".join(_segment(str(name)) for name in classes)
        return self._job_path(job_id, f"confusion/{names}")

    def predict(
        self, job_id: str, files: Iterable[Target], *, checkpoint: str | None = None
    ) -> list[Json]:
        """Return the predictions for new samples, in the order of the files.

        Args:
            job_id: the job.
            files: pictures and folders of pictures; for a job on a table, one CSV file.
            checkpoint: an id, `last` or `best_<monitor>`; default: the first best.

        Raises:
            WrongUsage: a file does not exist or cannot be read.
        """
        path, query = (
            self._job_path(job_id, "predictions"),
            without_none({"checkpoint": checkpoint}),
        )
        predictions: list[Json] = []
        for body in prediction_bodies([Path(file) for file in files]):
            predictions += self._json("POST", path, params=query, **body)["data"]
        return predictions

    def predict_dataset(
        self,
        job_id: str,
        dataset: str,
        *,
        split: str | None = None,
        checkpoint: str | None = None,
        progress: Progress | None = None,
    ) -> Json:
        """Predict a data set and return the artifact, a CSV file, once it is complete.

        The service works while this waits; the same call again continues where it ended.

        Args:
            job_id: the job.
            dataset: its name, or `name@version`.
            split: `train`, `validation`, `test` or `all`; default: `test` of the job's own data
                set, `all` of another.
            checkpoint: an id, `last` or `best_<monitor>`; default: the first best.
            progress: called with the samples so far and their number.
        """
        path, body = self._job_path(job_id, "predictions"), {"dataset": dataset, "split": split}
        query = without_none({"checkpoint": checkpoint})
        options: Json = {"params": query, "json": without_none(body), "timeout": LONG_SECONDS}
        while True:
            state = _patiently(lambda: self._json("POST", path, **options))
            if progress is not None:
                progress(state["done"], state["samples"])
            if state["artifact"] is not None:
                return state["artifact"]

    def checkpoints(self, job_id: str) -> list[Json]:
        """Return the stored checkpoints."""
        return [*self._pages(self._job_path(job_id, "checkpoints"))]

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
        job_id = self.job_id(job_id)
        available = self.checkpoints(job_id)
        row = _find(available, checkpoint)
        if row is None:
            raise not_found(f"checkpoint {checkpoint!r}", [row["name"] for row in available])
        file = target_file(path, f"{job_id}-{row['name']}.safetensors")
        return download(self.http, row["download"], file, row["sha256"], row["bytes"], progress)

    def export(
        self, job_id: str, checkpoint: str, path: Target, *, progress: Progress | None = None
    ) -> tuple[Path, float]:
        """Download a checkpoint's network as an ONNX file; arguments like `download`.

        Return the file, and the largest difference between its outputs and the network's.
        """
        job_id = self.job_id(job_id)
        url = self._job_path(job_id, f"checkpoints/{quote(checkpoint, safe='')}/export?format=onnx")
        # Makes the file. Unlike HEAD, it is answered with the reason where it is refused.
        headers = _patiently(
            lambda: self._send("GET", url, headers={"Range": "bytes=0-0"}, timeout=LONG_SECONDS)
        ).headers
        name = re.search(r'filename="([^"]+)"', headers["Content-Disposition"])
        file = target_file(path, name[1] if name else f"{job_id}.onnx")
        sha256, size = headers["ETag"].strip('"'), int(headers["Content-Range"].rpartition("/")[2])
        file = download(self.http, url, file, sha256, size, progress)
        return file, float(headers["Largest-Difference"])

    def artifacts(self, job_id: str) -> list[Json]:
        """Return the files of the job's results."""
        return [*self._pages(self._job_path(job_id, "artifacts"))]

    def download_artifact(
        self, job_id: str, name: str, path: Target, *, progress: Progress | None = None
    ) -> Path:
        """Download a file of the results by name or id; arguments like `download`."""
        job_id = self.job_id(job_id)
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
        job_id = self.job_id(job_id)
        log_directory = Path(f"{job_id}-tensorboard" if directory is None else directory)
        url = self._job_path(job_id, "tensorboard")
        download_event_files(self.http, url, log_directory, job_id, progress)
        return log_directory


def _patiently(request: Callable[[], Result]) -> Result:
    """Return the result of a request, which is repeated while the service is busy."""
    for _ in range(MAX_BUSY - 1):
        try:
            return request()
        except ApiError as error:
            if error.status != 503:
                raise
            time.sleep(BUSY_SECONDS)
    return request()


def _segment(name: str) -> str:
    """Return a name as a segment of a path; `.` and `..` would be other paths."""
    escaped = quote(name, safe="")
    return escaped.replace(".", "%2E") if name in {".", ".."} else escaped


def _find(rows: list[Json], name_or_id: str) -> Json | None:
    return next((row for row in rows if name_or_id in {row["id"], row["name"]}), None)
