"""Whether a stored file still has the content that was written."""

from functools import lru_cache
from os import stat_result
from pathlib import Path

from shared.errors import DamagedFile, NotFound
from shared.storage import sha256_of_file

ADVICE = (
    "It is not sent. Use another checkpoint or artifact of the job, or ask the administrator to "
    "restore the file from a backup."
)


def check_content(path: Path, *, filename: str, size: int, sha256: str) -> stat_result:
    """Compare a file with its record; return its facts.

    The digest of a file is computed once, and again when its inode, size or times change: a client
    that reads ranges of a large file does not wait for it each time.

    Args:
        path: The path of the file.
        filename: Its name in messages.
        size: Its size in bytes when it was written.
        sha256: The digest of its content when it was written.

    Raises:
        NotFound: The file no longer exists.
        DamagedFile: The content differs, or the disk cannot read it.
    """
    try:
        stat = path.stat()
        if stat.st_size != size:
            reason = f"it has {stat.st_size} bytes instead of {size}"
            raise DamagedFile(f"The stored file {filename!r} is damaged: {reason}. {ADVICE}")
        times = (stat.st_mtime_ns, stat.st_ctime_ns)
        digest = _digest(path, stat.st_dev, stat.st_ino, stat.st_size, *times)
    except FileNotFoundError as error:
        raise NotFound("The file no longer exists.") from error
    except OSError as error:
        raise DamagedFile(
            f"The stored file {filename!r} cannot be read: {error.strerror}. {ADVICE}"
        ) from error
    if digest != sha256:
        reason = "its SHA-256 is not the recorded digest"
        raise DamagedFile(f"The stored file {filename!r} is damaged: {reason}. {ADVICE}")
    return stat


@lru_cache(maxsize=10_000)
def _digest(path: Path, *_identity: int) -> str:
    return sha256_of_file(path)
