"""Uploads that an API did not finish, since it was killed."""

from pathlib import Path

#: How the name of a file ends that is still written.
UNFINISHED = ".part"


def sweep(directory: Path) -> None:
    """Delete them; called before the first one of this process begins."""
    for path in directory.glob(f"*{UNFINISHED}"):
        path.unlink(missing_ok=True)
