"""The check of the admin's key, which comes from the settings or from the file of the box."""

import hmac
from contextlib import suppress

from shared.accounts.key_format import digest
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
        self.sha256 = digest(key)

    def is_admin(self, key: str) -> bool:
        """Return whether a key, decoded as Latin-1, is the admin's; takes equally long for all."""
        # Headers are decoded as Latin-1, but the key may be any printable string in UTF-8.
        with suppress(UnicodeDecodeError, UnicodeEncodeError):
            key = key.encode("latin-1").decode()
        return hmac.compare_digest(digest(key), self.sha256)
