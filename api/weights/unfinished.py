"""Files of uploads that a killed API left unfinished."""

from pathlib import Path

#: The suffix of a file that is still being written.
UNFINISHED = ".part"


def delete_unfinished(directory: Path) -> None:
    """Delete the unfinished files; called before the first upload of this process."""
    for path in directory.glob(f"*{UNFINISHED}"):
        path.unlink(missing_ok=True)
