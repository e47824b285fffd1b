"""The files of the repository."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def repository_files() -> list[str]:
    """Return the paths, from the root, of the files that git tracks or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.splitlines() if (ROOT / name).is_file()]
