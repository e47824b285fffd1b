"""The admin's key: made at the first start, written with mode 0600, never printed."""

import os
import secrets
import zlib

from box.preconditions import CannotStart
from shared.settings import Settings
from shared.storage import publish

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
MIN_LENGTH = 20


def make_key() -> str:
    """Return `ts_box_<8 characters>_<43 characters><checksum of 6>`, a form for secret scanners."""
    name, secret = (_random(length) for length in (8, 43))
    body = f"ts_box_{name}_{secret}"
    return body + _checksum(body)


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


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _checksum(text: str) -> str:
    value, digits = zlib.crc32(text.encode()), ""
    for _ in range(6):
        value, digit = divmod(value, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
