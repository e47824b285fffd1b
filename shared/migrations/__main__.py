"""`python -m shared.migrations [--wait SECONDS]`: migrate the box's database."""

import argparse

from shared import logs
from shared.database import Database
from shared.migrations import TIMEOUT_SECONDS, wait_and_upgrade
from shared.settings import read_settings

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m shared.migrations")
    parser.add_argument(
        "--wait", type=float, default=TIMEOUT_SECONDS, metavar="SECONDS",
        help="how long to wait for a database that does not answer (%(default)s)",
    )  # fmt: skip
    timeout_seconds = parser.parse_args().wait
    settings = read_settings()
    logs.configure("migrations", settings.log_level)
    settings.make_directories()
    wait_and_upgrade(Database(settings.database, pool_size=1), timeout_seconds=timeout_seconds)
