"""`GET /v1/jobs/{id}/tensorboard`: the event files as a zip, made while it is sent."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from api.deps import JobId, ServicesDep
from api.http.schemas import content
from shared.errors import NotFound
from shared.jobs import queries

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["results"])

CHUNK = 2**20
HOW_TO_ASK = 'ask for them with "tracking": {"tensorboard": true}'


@router.get(
    "/tensorboard",
    summary="Event files for TensorBoard, as a zip",
    response_class=StreamingResponse,
    responses={200: content("application/zip")},
)
def tensorboard(job_id: JobId, services: ServicesDep) -> StreamingResponse:
    """What there is so far; `tensorboard --logdir` reads the folder that is in it."""
    with services.database.read() as connection:
        row = queries.get_job(connection, job_id)
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    directory = services.storage.tensorboard(job_id)
    files = sorted(directory.iterdir()) if directory.is_dir() else []
    if not files:
        asked = (row.spec.get("tracking") or {}).get("tensorboard")
        why = "it has written none yet" if asked else HOW_TO_ASK
        raise NotFound(f"The job has no event files: {why}.")
    return StreamingResponse(
        _zipped(files, job_id),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{job_id}-tensorboard.zip"'},
    )


class _Outbox:
    """What a zip has written and nobody has sent yet. It cannot seek, so a zip never goes back."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Take a part."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def take(self) -> bytes:
        """Everything so far."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _zipped(files: list[Path], folder: str) -> Iterator[bytes]:
    """A zip of files in one folder, a chunk at a time."""
    outbox = _Outbox()
    with ZipFile(cast("BinaryIO", outbox), "w", ZIP_DEFLATED) as archive:
        for path in files:
            entry = ZipInfo.from_file(path, f"{folder}/{path.name}")
            entry.compress_type = ZIP_DEFLATED
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                # No more than it held when it was begun: a training may be writing on.
                left = entry.file_size
                while left and (chunk := source.read(min(CHUNK, left))):
                    target.write(chunk)
                    left -= len(chunk)
                    yield outbox.take()
    yield outbox.take()
