"""`python -m api`: serve HTTP until the process is ended."""

import uvicorn

from api.app import create_app
from shared import logs
from shared.database import Database
from shared.migrations import wait_for_head
from shared.settings import Settings


def main() -> None:
    """Wait for the tables, then serve."""
    settings = Settings()
    logs.configure("api", settings.log_level)
    settings.make_directories()
    database = Database(settings.database, pool_size=1)
    wait_for_head(database)
    database.close()
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=3,
        limit_concurrency=2000,
        h11_max_incomplete_event_size=65_536,
    )


if __name__ == "__main__":
    main()
