"""`python -m worker.checker ID`: check an uploaded data set."""

import sys

from shared import logs
from shared.database import Database
from shared.settings import read_settings
from worker.checker.check import check_dataset
from worker.checker.limits import limit_process

if __name__ == "__main__":
    settings = read_settings()
    logs.configure("checker", settings.log_level)
    limit_process()
    database = Database(settings.database, pool_size=1)
    check_dataset(sys.argv[1], settings, database)
    database.close()
