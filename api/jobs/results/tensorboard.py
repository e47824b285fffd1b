"""The TensorBoard event files of a job as a zip, created while it is sent.

Scalars come from the stored metrics, so that every job has them: a run for each split with the same
tags, so that TensorBoard draws them in one chart. The files that the worker wrote (histograms,
images, the graph) belong to the run of the training split.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from fastapi import APIRouter, Security
from fastapi.responses import StreamingResponse

from api.deps import JobId, ServicesDep, right
from api.http.schemas import content
from api.jobs.lookup import read_job
from api.jobs.results.event_file import header, scalar
from shared.database import Database
from shared.errors import Conflict
from shared.jobs import queries, series
from shared.jobs.rows import JobRow, MetricRow
from shared.regular_files import is_regular, open_regular
from shared.states import FINAL

router = APIRouter()

CHUNK_BYTES = 2**20
#: Rows of metrics that are in memory at once.
PAGE = 2_000
#: The run of each split, named as Keras names it, and the beginning of the names of its metrics.
TRAINING_RUN = "train"
RUNS = {"train": TRAINING_RUN, "validation": "validation", "test": "test", None: TRAINING_RUN}
PREFIXES = {"train": "train_", "validation": "val_", "test": "test_", None: ""}
#: TensorBoard reads the files of a run by name. This is the last, since a worker's file of a
#: resumed attempt withdraws steps of the files before it.
SCALARS = "events.out.tfevents.scalars"
#: At most four bytes each in the name of a folder, which has room for 255 bytes.
MAX_NAME_LENGTH = 50

#: A path in the zip with its parts, which are read when they are taken.
Entry = tuple[ZipInfo, Iterable[bytes]]


@router.get(
    "/tensorboard",
    dependencies=[Security(right("jobs:read"))],
    summary="Download event files for TensorBoard",
    response_class=StreamingResponse,
    responses={200: content("application/zip")},
)
def download_tensorboard(job_id: JobId, services: ServicesDep) -> StreamingResponse:
    """Return the job so far, in a folder that `tensorboard --logdir` reads.

    Scalars are in the runs `train`, `validation` and `test`. A job with `tracking.tensorboard` also
    has histograms, images of the first layer and the graph.
    """
    job = read_job(services, job_id)
    with services.database.read() as connection:
        runs = {RUNS[each.split] for each in series.list_series(connection, job_id)}
    directory = services.storage.tensorboard(job_id)
    found = sorted(directory.iterdir()) if directory.is_dir() else []
    files = [path for path in found if is_regular(directory, path.name)]
    if not runs and not files:
        when = "and will not have any" if job.state in FINAL else "yet: the first epoch has to end"
        raise Conflict(f"The job has no metrics {when}.")
    folder = folder_of(job)
    entries = [*_files(files, f"{folder}/{TRAINING_RUN}")]
    for run in sorted(runs):
        entry = ZipInfo(f"{folder}/{run}/{SCALARS}", _zip_time(job.created_at))
        entries.append((entry, _scalars(services.database, job, run)))
    return StreamingResponse(
        _zip(entries),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{job_id}-tensorboard.zip"'},
    )


def folder_of(job: JobRow) -> str:
    """Return the folder of a job: its name, as far as file systems take it, and its id."""
    name = re.sub(r"[^\w.-]+", "-", job.name or "")[:MAX_NAME_LENGTH].strip("-.")
    return f"{name}-{job.id}" if name else job.id


def _zip_time(at: datetime) -> tuple[int, int, int, int, int, int]:
    """Return a time for a zip, which has the years 1980 to 2107."""
    year = min(max(at.year, 1980), 2107)
    return year, at.month, at.day, at.hour, at.minute, at.second


def _scalars(database: Database, job: JobRow, run: str) -> Iterator[bytes]:
    """Yield an event file with the metrics of a run."""
    yield header(job.created_at)
    for rows in _pages(database, job.id):
        yield b"".join(
            scalar(row.name.removeprefix(PREFIXES[row.split]), row.value, row.step, row.at)
            for row in rows
            if RUNS[row.split] == run
        )


def _pages(database: Database, job_id: str) -> Iterator[list[MetricRow]]:
    """Yield the stored metrics page by page; no connection is held in between."""
    after_id = None
    while True:
        with database.read() as connection:
            rows = queries.list_metrics(connection, job_id, limit=PAGE, after_id=after_id)
        yield rows
        if len(rows) < PAGE:
            return
        after_id = rows[-1].id


class _Buffer:
    """Takes what the zip writes until it is sent. It cannot seek, so the zip never goes back."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Append data."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: the buffer is in memory."""

    def take(self) -> bytes:
        """Return and forget everything written so far."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _files(paths: list[Path], folder: str) -> Iterator[Entry]:
    """Yield the files of a directory."""
    for path in paths:
        entry = ZipInfo.from_file(path, f"{folder}/{path.name}")
        yield entry, _read(path, entry.file_size)


def _read(path: Path, size_bytes: int) -> Iterator[bytes]:
    """Yield a file, not beyond the size at the start: the job may still be writing."""
    with open_regular(path.parent, path.name) as source:
        while size_bytes and (chunk := source.read(min(CHUNK_BYTES, size_bytes))):
            yield chunk
            size_bytes -= len(chunk)


def _zip(entries: list[Entry]) -> Iterator[bytes]:
    """Yield a zip in chunks."""
    buffer = _Buffer()
    with ZipFile(cast("BinaryIO", buffer), "w", ZIP_DEFLATED) as archive:
        for entry, chunks in entries:
            entry.compress_type = ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as target:
                for chunk in chunks:
                    target.write(chunk)
                    yield buffer.take()
    yield buffer.take()
