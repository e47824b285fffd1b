"""The link that logs a browser in, for the person who starts the box."""

import json

from box.health_checks import send_to_api
from shared.settings import Settings


def read_login_link(settings: Settings) -> str | None:
    """Return the path of a link that works once; None if the API does not give one."""
    try:
        headers = {"Authorization": f"Bearer {_key(settings)}".encode()}
        response = send_to_api(settings, "/v1/login-links", method="POST", headers=headers)
        return json.loads(response[1])["path"] if response and response[0] == 201 else None
    except (OSError, ValueError, KeyError):  # no key, or another service
        return None


def _key(settings: Settings) -> str:
    if settings.admin_key is not None:
        return settings.admin_key.get_secret_value()
    return settings.key_file.read_text().strip()
