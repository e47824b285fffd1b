"""The admin's key: from the settings, or from the file made at first start."""

import hashlib
import hmac

from shared.settings import Settings


class KeyCheck:
    """Knows the digest of the key, not the key."""

    def __init__(self, settings: Settings) -> None:
        if settings.admin_key is not None:
            key = settings.admin_key.get_secret_value()
        else:
            try:
                key = settings.key_file.read_text().strip()
            except FileNotFoundError as error:
                raise RuntimeError(
                    "there is no key: set TRAINSHED_ADMIN_KEY, or start the box by `make up`, "
                    "which makes one"
                ) from error
        self._digest = _digest(key.encode())

    def is_admin(self, key: str) -> bool:
        """Whether this is the admin's key, as a header gives it; takes as long for any key."""
        # A header's characters are bytes, and a key may be any printable string in UTF-8.
        return hmac.compare_digest(_digest(key.encode("latin-1")), self._digest)


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
