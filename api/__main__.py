"""`python -m api`: serve the API until the process is terminated."""

import gc

import uvicorn

from api.app import create_app
from api.http.server import options, raise_file_limit
from shared import logs
from shared.database import Database
from shared.migrations import wait_for_head
from shared.settings import read_settings


def main() -> None:
    """Wait until the database is migrated, then serve."""
    settings = read_settings()
    logs.configure("api", settings.log_level)
    settings.make_directories()
    raise_file_limit()
    database = Database(settings.database, pool_size=1)
    wait_for_head(database)
    database.close()
    app = create_app(settings)
    # What lives as long as the process need not be searched for garbage: that takes 0.1 s.
    gc.collect()
    gc.freeze()
    uvicorn.run(app, **options(settings))


if __name__ == "__main__":
    main()
