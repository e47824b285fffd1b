"""The version of the code that a worker runs."""

from functools import cache
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: What decides how a job trains and what is stored.
PACKAGES = ("shared", "worker")
DIGITS = 12


@cache
def code_version() -> str:
    """Return a digest of the code, which is the same on every host with the same files."""
    return digest_of(ROOT)


def digest_of(root: Path) -> str:
    """Return a digest of the packages in a directory."""
    digest = sha256()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:DIGITS]
