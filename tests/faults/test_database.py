"""What happens to a training whose database goes away and comes back."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.box_driver import BoxDriver
from tests.conftest import POSTGRESQL
from tests.faults.conftest import SPEC, STEPS_OF_AN_EPOCH

pytestmark = pytest.mark.faults

#: Longer than the lease of this box: the reaper must not take the training for dead.
OUTAGE_SECONDS = 5.0


@pytest.fixture
def box_on_postgresql(postgresql_url: str) -> Iterator[BoxDriver]:
    """Another box, without a broker: it does not need one."""
    home = Path(tempfile.mkdtemp(prefix="trainshed-faults-"))
    driver = BoxDriver(home, TRAINSHED_DATABASE_URL=postgresql_url)
    try:
        driver.start("worker")
        yield driver
    finally:
        driver.close()
        shutil.rmtree(home)


class Server:
    """The PostgreSQL server, which refuses a database for a while."""

    def __init__(self, database: str) -> None:
        self.database = database
        address = sa.make_url(POSTGRESQL).set(drivername="postgresql+psycopg")
        self.engine = sa.create_engine(address, isolation_level="AUTOCOMMIT")

    def refuse(self) -> None:
        """Every connection is cut and no new one admitted."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {self.database} ALLOW_CONNECTIONS false")
            cut = sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
            )
            connection.execute(cut, {"name": self.database})

    def admit(self) -> None:
        """As before."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {self.database} ALLOW_CONNECTIONS true")


def test_a_training_goes_on_without_its_database(
    box_on_postgresql: BoxDriver, undisturbed: dict[str, Any]
) -> None:
    box = box_on_postgresql
    server = Server(sa.make_url(box.settings.database).database or "")
    job_id = box.submit(SPEC, rings=False)
    box.until(lambda: box.last_step(job_id) > STEPS_OF_AN_EPOCH, "an epoch")
    log = box.storage.log(job_id, 1)
    server.refuse()
    time.sleep(OUTAGE_SECONDS)
    box.until(lambda: "database away" in log.read_text(), "a complaint")
    server.admit()
    server.engine.dispose()
    box.database.engine.dispose()
    job = box.finish(job_id)
    assert job.state == "succeeded", job.failure
    assert [one.number for one in box.attempts(job_id)] == [1]
    assert box.outcome(job_id) == undisturbed
