"""The version of the code that a worker runs."""

from functools import cache
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: What decides how a job trains and what is stored.
PACKAGES = ("shared", "worker")
DIGITS = 12


@cache
def code_version() -> str:
    """Return a digest of the code, which is the same on every host with the same files."""
    digest = sha256()
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:DIGITS]
