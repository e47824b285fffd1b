"""Where the files of a job lie: directories under one root that the API and all workers share.

<job>/<attempt>/step-<n>/   a checkpoint: weights.safetensors, state, manifest.json
<job>/<attempt>/log.txt     what the runner printed
<job>/results/…             predictions and artifacts
<job>/tensorboard/          event files
weights/<id>.safetensors    an upload
"""

import hashlib
import os
from pathlib import Path

from shared.errors import NotFound

WEIGHTS = "weights.safetensors"
LOG = "log.txt"


class Storage:
    """The root directory with the layout above; addresses in the database are relative to it."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def job(self, job_id: str) -> Path:
        """The directory of a job."""
        return self.root / job_id

    def attempt(self, job_id: str, attempt: int) -> Path:
        """The directory of one attempt."""
        return self.job(job_id) / str(attempt)

    def log(self, job_id: str, attempt: int) -> Path:
        """The log of one attempt."""
        return self.attempt(job_id, attempt) / LOG

    def results(self, job_id: str) -> Path:
        """The directory of a job's results."""
        return self.job(job_id) / "results"

    def tensorboard(self, job_id: str) -> Path:
        """The directory of a job's event files."""
        return self.job(job_id) / "tensorboard"

    def weights(self, weights_id: str) -> Path:
        """The file of an upload."""
        return self.root / "weights" / f"{weights_id}.safetensors"

    def relative(self, path: Path) -> str:
        """A path of ours as the database keeps it."""
        return path.relative_to(self.root).as_posix()

    def path(self, relative: str) -> Path:
        """The path of an address from the database.

        Raises:
            NotFound: it leads out of the storage, or there is no such file.
        """
        path = (self.root / relative).resolve()
        if not path.is_relative_to(self.root) or not path.exists():
            raise NotFound("The file is not there any more.")
        return path


def sha256_of_file(path: Path) -> str:
    """The digest of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def publish(temporary: Path, final: Path) -> None:
    """Give a finished file its name so that name and content survive a loss of power.

    Raises:
        OSError: the disk does not take it.
    """
    _to_disk(temporary)
    temporary.replace(final)
    _to_disk(final.parent)


def _to_disk(path: Path) -> None:
    """Have the disk hold a file's content or a directory's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
