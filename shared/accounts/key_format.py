"""The form of keys: `ts_<id>_<secret><checksum>`, which can be refused without the database.

A key is a random secret of 256 bits, so its SHA-256 digest is stored: there is no dictionary that a
slow hash would protect from.
"""

import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass

from shared.ids import ALPHABET as ID_ALPHABET

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SECRET_LENGTH = 43  # of 62 characters: 256 bits
CHECKSUM_LENGTH = 6
ID_LENGTH = 10
KEY_ID = re.compile(f"key_[{ID_ALPHABET}]{{{ID_LENGTH}}}")
SHOWN_LENGTH = 4
_KEY = re.compile(
    f"ts_([{ID_ALPHABET}]{{{ID_LENGTH}}})_[0-9A-Za-z]{{{SECRET_LENGTH + CHECKSUM_LENGTH}}}"
)


@dataclass(frozen=True)
class NewKey:
    """A key that was just made. Only its id and digest are stored."""

    id: str
    text: str

    @property
    def sha256(self) -> str:
        """The digest that is stored."""
        return digest(self.text)


def new_key() -> NewKey:
    """Return a new key."""
    name = "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))
    body = f"ts_{name}_{random_text(SECRET_LENGTH)}"
    return NewKey(f"key_{name}", body + checksum(body))


def id_of(text: str) -> str | None:
    """Return the id of a key, or None if it does not have the form of a key."""
    match = _KEY.fullmatch(text)
    if match is None or checksum(text[:-CHECKSUM_LENGTH]) != text[-CHECKSUM_LENGTH:]:
        return None
    return f"key_{match[1]}"


def prefix(key_id: str) -> str:
    """Return the beginning of a key, by which its owner recognizes it."""
    return f"ts_{key_id.removeprefix('key_')[:SHOWN_LENGTH]}…"


def digest(text: str) -> str:
    """Return the SHA-256 digest of a secret."""
    return hashlib.sha256(text.encode()).hexdigest()


def random_text(length: int) -> str:
    """Return random letters and digits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def checksum(text: str) -> str:
    """Return the CRC32 of a text in six letters and digits."""
    value, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        value, digit = divmod(value, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
