"""The options with which uvicorn serves the application."""

import resource
from typing import Any

from api.http.explained_protocol import ExplainedProtocol
from shared.settings import Settings


def options(settings: Settings) -> dict[str, Any]:
    """Return uvicorn's options."""
    return {
        "host": settings.host,
        "port": settings.port,
        # Also where WEB_CONCURRENCY is set: limits of requests are counted in one process.
        "workers": 1,
        "http": ExplainedProtocol,
        "ws": "none",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": 5,
        "timeout_graceful_shutdown": 3,
    }


def raise_file_limit() -> None:
    """Raise the limit of open files to the maximum: every waiting client holds a connection."""
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
