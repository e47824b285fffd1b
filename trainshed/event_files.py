"""TensorBoard's event files of a job: downloaded as a zip and unpacked for TensorBoard."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

import httpx

from trainshed.downloads import download_of_unknown_size
from trainshed.errors import Unreachable


def download_event_files(
    http: httpx.Client,
    url: str,
    log_directory: Path,
    job_id: str,
    progress: Callable[[int], None] | None,
) -> Path:
    """Download the zip, unpack its files into `log_directory`/`job_id`, and return that folder.

    Args:
        http: the connection.
        url: of the zip.
        log_directory: the directory for `tensorboard --logdir`; created if it is missing.
        job_id: the job, and the only folder of the zip.
        progress: called with the bytes so far; the total is unknown.

    Raises:
        Unreachable: the download is not such a zip, or the connection broke too often.
    """
    with tempfile.TemporaryDirectory(prefix="trainshed-") as temporary:
        path = download_of_unknown_size(http, url, Path(temporary) / "files.zip", progress)
        try:
            with ZipFile(path) as archive:
                return _unpack(archive, log_directory / job_id, job_id)
        except BadZipFile as error:
            raise Unreachable(f"The download is not a zip of event files: {error}") from error


def _unpack(archive: ZipFile, folder: Path, job_id: str) -> Path:
    """Unpack all files, or none if the path of a file leads out of the folder."""
    files = [entry for entry in archive.infolist() if not entry.is_dir()]
    for entry in files:
        if not _is_in_folder(entry.filename, job_id):
            raise Unreachable(f"The zip holds a path outside of {job_id}/: {entry.filename!r}")
    folder.mkdir(parents=True, exist_ok=True)
    for entry in files:
        name = PurePosixPath(entry.filename).name
        partial = folder / f".{name}.part"
        with archive.open(entry) as source, partial.open("wb") as file:
            shutil.copyfileobj(source, file)
        # Replaced at once, so that a running TensorBoard never reads half a file.
        partial.replace(folder / name)
    return folder


def _is_in_folder(path: str, job_id: str) -> bool:
    """Return whether a path of the zip names a file directly in the job's folder."""
    folder, _, name = path.partition("/")
    return folder == job_id and name not in {"", ".", ".."} and not set(name) & set("/\\:\0")
