"""Whether a stored file still has the content that was written."""

from os import stat_result
from pathlib import Path

from shared.errors import DamagedFile, NotFound
from shared.storage import sha256_of_stored_file

ADVICE = (
    "It is not sent. Use another checkpoint or artifact of the job, or ask the administrator to "
    "restore the file from a backup."
)


def check_content(path: Path, *, filename: str, size: int, sha256: str) -> stat_result:
    """Compare a file with its record; return its facts.

    A client that reads ranges of a large file does not wait for its digest each time.

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
        digest = sha256_of_stored_file(path, stat)
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
