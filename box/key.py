"""The admin's key: made at the first start, written with mode 0600, never printed."""

import os

from box.preconditions import CannotStart
from shared.accounts.key_format import SECRET_LENGTH, checksum, random_text
from shared.settings import Settings
from shared.storage import publish

MIN_LENGTH = 20


def make_key() -> str:
    """Return `ts_box_<8 characters>_<43 characters><checksum of 6>`, a form for secret scanners."""
    body = f"ts_box_{random_text(8)}_{random_text(SECRET_LENGTH)}"
    return body + checksum(body)


def ensure_key(settings: Settings) -> bool:
    """Make the key file, unless it exists or a key is set; return whether it was made.

    Raises:
        CannotStart: the file exists and holds no key.
    """
    if settings.admin_key is not None:
        return False
    path = settings.key_file
    if path.exists():
        path.chmod(0o600)
        if len(path.read_text().strip()) < MIN_LENGTH:
            raise CannotStart(f"{path} holds no key. Remove it to have a new key made.")
        return False
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w") as stream:
        stream.write(f"{make_key()}\n")
        stream.flush()
        os.fsync(stream.fileno())
    publish(temporary, path)
    return True
