"""`python -m shared.migrations [--wait SECONDS]`: bring the box's database to the newest tables."""

import argparse

from shared import logs
from shared.database import Database
from shared.migrations import PATIENCE_SECONDS, upgrade_patiently
from shared.settings import read_settings

if __name__ == "__main__":
    asked = argparse.ArgumentParser(prog="python -m shared.migrations")
    asked.add_argument(
        "--wait", type=float, default=PATIENCE_SECONDS, metavar="SECONDS",
        help="how long a database that does not answer is waited for (%(default)s)",
    )  # fmt: skip
    patience_seconds = asked.parse_args().wait
    settings = read_settings()
    logs.configure("migrations", settings.log_level)
    settings.make_directories()
    upgrade_patiently(Database(settings.database, pool_size=1), timeout_seconds=patience_seconds)
