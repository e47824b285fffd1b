"""The files of jobs: directories under one root that the API and all workers share.

<job>/<attempt>/step-<n>/   a checkpoint: weights.safetensors, state, manifest.json
<job>/<attempt>/log.txt     the output of the runner
<job>/<attempt>/partial-…   partial results of an analysis that has not ended
<job>/results/…             predictions and artifacts
<job>/tensorboard/          event files
weights/<id>.safetensors    an uploaded file of weights
"""

import hashlib
import os
from collections import Counter
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from shared.errors import NotFound
from shared.regular_files import is_regular

WEIGHTS = "weights.safetensors"
LOG = "log.txt"
PARTIAL = "partial-*"


class Storage:
    """The root directory with the layout above. Paths in the database are relative to it."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def job(self, job_id: str) -> Path:
        """Return the directory of a job."""
        return self.root / job_id

    def attempt(self, job_id: str, attempt: int) -> Path:
        """Return the directory of an attempt."""
        return self.job(job_id) / str(attempt)

    def log(self, job_id: str, attempt: int) -> Path:
        """Return the log file of an attempt."""
        return self.attempt(job_id, attempt) / LOG

    def delete_partial_results(self, job_id: str) -> None:
        """Delete the partial results of an analysis that has ended. What stays takes only space."""
        for path in self.job(job_id).glob(f"*/{PARTIAL}"):
            with suppress(OSError):
                path.unlink()

    def results(self, job_id: str) -> Path:
        """Return the directory of a job's results."""
        return self.job(job_id) / "results"

    def tensorboard(self, job_id: str) -> Path:
        """Return the directory of a job's event files."""
        return self.job(job_id) / "tensorboard"

    def weights(self, weights_id: str) -> Path:
        """Return the file of an upload."""
        return self.root / "weights" / f"{weights_id}.safetensors"

    def relative(self, path: Path) -> str:
        """Return a path as it is stored in the database."""
        return path.relative_to(self.root).as_posix()

    def path(self, relative: str) -> Path:
        """Return the path of a file, for its relative path from the database.

        Raises:
            NotFound: the path leads out of the storage or through a link, or has no regular file.
        """
        if not is_regular(self.root, relative):
            raise NotFound("The file no longer exists.")
        return self.root / relative


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 digest of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_stored_file(path: Path, stat: os.stat_result | None = None) -> str:
    """Return the digest of a file that is written once, computed again only when it has changed.

    A change shows in its inode, size or times.

    Args:
        path: of the file.
        stat: its facts, where they are known already.
    """
    stat = stat or path.stat()
    times = (stat.st_mtime_ns, stat.st_ctime_ns)
    return _digest(path, stat.st_dev, stat.st_ino, stat.st_size, *times)


@lru_cache(maxsize=10_000)
def _digest(path: Path, *_identity: int) -> str:
    return sha256_of_file(path)


def exclusive_bytes(directory: Path) -> int:
    """Return the size of the files that exist only in this directory; 0 where there is none.

    A file that has a further hard link elsewhere would not be freed with the directory.
    """
    sizes, links = dict[tuple[int, int], tuple[int, int]](), Counter[tuple[int, int]]()
    for parent, _, names in os.walk(directory):
        for name in names:
            try:
                status = (Path(parent) / name).lstat()
            except FileNotFoundError:  # deleted meanwhile
                continue
            file = (status.st_dev, status.st_ino)
            sizes[file] = (status.st_size, status.st_nlink)
            links[file] += 1
    return sum(size for file, (size, count) in sizes.items() if links[file] == count)


def publish(temporary: Path, final: Path) -> None:
    """Rename a finished file durably: name and content survive a loss of power.

    Raises:
        OSError: the disk is full or broken.
    """
    _flush_to_disk(temporary)
    temporary.replace(final)
    _flush_to_disk(final.parent)


def _flush_to_disk(path: Path) -> None:
    """Flush the content of a file, or the names in a directory, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
