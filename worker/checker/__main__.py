"""`python -m worker.checker ID`: check an uploaded data set."""

import resource
import sys

from shared import logs
from shared.database import Database
from shared.settings import read_settings
from worker.checker.check import check_dataset
from worker.limits import limit_process, lower_limit

MEMORY_MIB = 1024
CPU_SECONDS = 3600


def main(dataset_id: str) -> None:
    """Check a data set within the limits of this process."""
    settings = read_settings()
    logs.configure("checker", settings.log_level)
    limit_checker()
    database = Database(settings.database, pool_size=1)
    check_dataset(dataset_id, settings, database)
    database.close()


def limit_checker() -> None:
    """Limit memory and CPU time of this process for good, and lower its priority."""
    limit_process(MEMORY_MIB * 2**20, is_background=True)
    lower_limit(resource.RLIMIT_CPU, CPU_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1])
