"""`python -m api`: serve HTTP until the process is ended."""

import uvicorn

from api.app import create_app
from api.http.server import allow_many_connections, options
from shared import logs
from shared.database import Database
from shared.migrations import wait_for_head
from shared.settings import read_settings


def main() -> None:
    """Wait for the tables, then serve."""
    settings = read_settings()
    logs.configure("api", settings.log_level)
    settings.make_directories()
    allow_many_connections()
    database = Database(settings.database, pool_size=1)
    wait_for_head(database)
    database.close()
    uvicorn.run(create_app(settings), **options(settings))


if __name__ == "__main__":
    main()
