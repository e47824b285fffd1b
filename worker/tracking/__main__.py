"""`python -m worker.tracking`: keep MLflow's copy of every job up to date."""

import os
import signal
import threading

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # into our log
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")

from shared import logs
from shared.database import Database
from shared.migrations import wait_for_head
from shared.settings import read_settings
from worker.tracking.sync import Sync


def main() -> None:
    """Run until SIGTERM."""
    settings = read_settings()
    logs.configure("tracking", settings.log_level)
    settings.make_directories()
    database = Database(settings.database, pool_size=2)
    wait_for_head(database)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    Sync(settings, database).run(ended)


if __name__ == "__main__":
    main()
