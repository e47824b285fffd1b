"""How uvicorn serves the application."""

import resource
from typing import Any

from api.http.protocol import BoundedProtocol
from shared.settings import Settings


def options(settings: Settings) -> dict[str, Any]:
    """What uvicorn is told beside the application."""
    return {
        "host": settings.host,
        "port": settings.port,
        "http": BoundedProtocol,
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": 5,
        "timeout_graceful_shutdown": 3,
        "limit_concurrency": 2000,
    }


def allow_many_connections() -> None:
    """Take as many files as may be had: each who waits has one, and by custom there are 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
