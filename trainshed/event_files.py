"""TensorBoard's event files of a job: fetched as a zip, unpacked where TensorBoard finds them."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

import httpx

from trainshed.downloading import download_unmeasured
from trainshed.errors import Unreachable


def fetch(
    http: httpx.Client,
    address: str,
    directory: Path,
    run: str,
    progress: Callable[[int], None] | None,
) -> Path:
    """Fetch the zip and put its files into `directory`/`run`; return that folder.

    Args:
        http: the connection.
        address: of the zip.
        directory: what `tensorboard --logdir` will be given; made if it is not there.
        run: the run's name in TensorBoard, and the zip's one folder.
        progress: called with bytes so far; nobody knows how many there will be.

    Raises:
        Unreachable: what came is no such zip, or the connection broke too often.
    """
    with tempfile.TemporaryDirectory(prefix="trainshed-") as passing:
        path = download_unmeasured(http, address, Path(passing) / "files.zip", progress)
        try:
            with ZipFile(path) as archive:
                return _unpack(archive, directory / run, run)
        except BadZipFile as error:
            raise Unreachable(f"what came is not a zip of event files: {error}") from error


def _unpack(archive: ZipFile, folder: Path, run: str) -> Path:
    """Every file or none: a name that leads elsewhere is looked for before any is written."""
    files = [entry for entry in archive.infolist() if not entry.is_dir()]
    for entry in files:
        if not _is_plain(entry.filename, run):
            raise Unreachable(f"the zip has a file that leads elsewhere: {entry.filename!r}")
    folder.mkdir(parents=True, exist_ok=True)
    for entry in files:
        name = PurePosixPath(entry.filename).name
        partial = folder / f".{name}.part"
        with archive.open(entry) as source, partial.open("wb") as file:
            shutil.copyfileobj(source, file)
        # A TensorBoard that reads the file of before is not given half of the new one.
        partial.replace(folder / name)
    return folder


def _is_plain(name: str, run: str) -> bool:
    """Whether a name is that of a file directly in the run's folder."""
    folder, _, own = name.partition("/")
    return folder == run and own not in {"", ".", ".."} and not set(own) & set("/\\:\0")
