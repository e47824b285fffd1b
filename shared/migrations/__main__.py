"""`python -m shared.migrations`: bring the database of this box to the newest tables."""

from shared.database import Database
from shared.migrations import upgrade
from shared.settings import Settings

if __name__ == "__main__":
    settings = Settings()
    settings.make_directories()
    upgrade(Database(settings.database, pool_size=1))
