"""TensorBoard's event files of a job: downloaded as a zip and unpacked for TensorBoard."""

import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
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
    """Download the zip and unpack the job's folder into `log_directory`; return the folder.

    Args:
        http: the connection.
        url: of the zip.
        log_directory: the directory for `tensorboard --logdir`; created if it is missing.
        job_id: the job; the only folder of the zip ends with it.
        progress: called with the bytes so far; the total is unknown.

    Raises:
        Unreachable: the download is not such a zip, or the connection broke too often.
    """
    with tempfile.TemporaryDirectory(prefix="trainshed-") as temporary:
        path = download_of_unknown_size(http, url, Path(temporary) / "files.zip", progress)
        try:
            with ZipFile(path) as archive:
                return _unpack(archive, log_directory, job_id)
        except BadZipFile as error:
            raise Unreachable(f"The download is not a zip of event files: {error}") from error


def _unpack(archive: ZipFile, log_directory: Path, job_id: str) -> Path:
    """Unpack all files, or none if the path of a file leads out of the job's folder."""
    files = [entry for entry in archive.infolist() if not entry.is_dir()]
    folders = {_folder_of(entry.filename, job_id) for entry in files}
    if len(folders) != 1:
        raise Unreachable(f"The zip holds {len(folders)} folders instead of that of {job_id}.")
    for entry in files:
        target = log_directory / entry.filename
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.part")
        with archive.open(entry) as source, partial.open("wb") as file:
            shutil.copyfileobj(source, file)
        # Replaced at once, so that a running TensorBoard never reads half a file.
        partial.replace(target)
    return log_directory / folders.pop()


def _folder_of(path: str, job_id: str) -> str:
    """Return the first folder of FOLDER/RUN/FILE, which is the job's name and id, or its id."""
    parts = re.fullmatch(rf"((?:[\w.-]+-)?{re.escape(job_id)})/[a-z]+/\w[^/\\:\0]*", path)
    if parts is None:
        raise Unreachable(f"The zip holds a path outside of the folder of {job_id}: {path!r}")
    return parts[1]
