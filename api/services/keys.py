"""The check of the admin's key, which comes from the settings or from the file of the box."""

import hashlib
import hmac

from shared.settings import Settings


class KeyCheck:
    """Holds the digest of the admin's key, not the key itself."""

    def __init__(self, settings: Settings) -> None:
        if settings.admin_key is not None:
            key = settings.admin_key.get_secret_value()
        else:
            try:
                key = settings.key_file.read_text().strip()
            except FileNotFoundError as error:
                raise RuntimeError(
                    "No admin key is set. Set TRAINSHED_ADMIN_KEY, or start the box with "
                    "`make up`, which creates a key."
                ) from error
        self._digest = _digest(key.encode())

    def is_admin(self, key: str) -> bool:
        """Return whether a key, decoded as Latin-1, is the admin's; takes equally long for all."""
        # Headers are decoded as Latin-1, but the key may be any printable string in UTF-8.
        return hmac.compare_digest(_digest(key.encode("latin-1")), self._digest)


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
