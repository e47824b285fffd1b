"""The TensorBoard event files of a job as a zip, created while it is sent."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from api.deps import JobId, ServicesDep
from api.http.schemas import content
from api.jobs.lookup import read_job
from shared.errors import NotFound

router = APIRouter()

CHUNK_BYTES = 2**20


@router.get(
    "/tensorboard",
    summary="Download the TensorBoard event files",
    response_class=StreamingResponse,
    responses={200: content("application/zip")},
)
def download_tensorboard(job_id: JobId, services: ServicesDep) -> StreamingResponse:
    """Return the event files written so far, in a folder that `tensorboard --logdir` reads."""
    job = read_job(services, job_id)
    directory = services.storage.tensorboard(job_id)
    files = sorted(directory.iterdir()) if directory.is_dir() else []
    if not files:
        is_requested = (job.spec.get("tracking") or {}).get("tensorboard")
        raise NotFound(
            "The job has not written event files yet."
            if is_requested
            else "The job writes no event files: its specification does not set "
            '"tracking": {"tensorboard": true}.'
        )
    return StreamingResponse(
        _zip(files, job_id),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{job_id}-tensorboard.zip"'},
    )


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


def _zip(files: list[Path], folder: str) -> Iterator[bytes]:
    """Yield a zip of files in a folder, in chunks."""
    buffer = _Buffer()
    with ZipFile(cast("BinaryIO", buffer), "w", ZIP_DEFLATED) as archive:
        for path in files:
            entry = ZipInfo.from_file(path, f"{folder}/{path.name}")
            entry.compress_type = ZIP_DEFLATED
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                # Not beyond the size at the start: the job may still be writing.
                remaining_bytes = entry.file_size
                while remaining_bytes and (chunk := source.read(min(CHUNK_BYTES, remaining_bytes))):
                    target.write(chunk)
                    remaining_bytes -= len(chunk)
                    yield buffer.take()
    yield buffer.take()
