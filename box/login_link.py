"""The link that logs a browser in, for the person who starts the box."""

import http.client
import json
from contextlib import closing

from box.health_checks import TIMEOUT_SECONDS, local_address
from shared.settings import Settings


def read_login_link(settings: Settings) -> str | None:
    """Return the path of a link that works once; None if the API does not give one."""
    host = local_address(settings.host)
    connection = http.client.HTTPConnection(host, settings.port, timeout=TIMEOUT_SECONDS)
    with closing(connection):
        try:
            headers = {"Authorization": f"Bearer {_key(settings)}".encode()}
            connection.request("POST", "/v1/login-links", headers=headers)
            response = connection.getresponse()
            body = response.read()
            return json.loads(body)["path"] if response.status == 201 else None
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            return None


def _key(settings: Settings) -> str:
    if settings.admin_key is not None:
        return settings.admin_key.get_secret_value()
    return settings.key_file.read_text().strip()
