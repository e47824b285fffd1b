"""A database that is unavailable for a while, during a training job."""

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
from tests.faults.conftest import SPEC, STEPS_PER_EPOCH

pytestmark = pytest.mark.faults

#: Longer than the lease of this box: the reaper must not give the attempt up.
OUTAGE_SECONDS = 5.0


@pytest.fixture
def box_on_postgresql(postgresql_url: str) -> Iterator[BoxDriver]:
    """A box with its database on PostgreSQL and without a broker, which it does not need."""
    home = Path(tempfile.mkdtemp(prefix="trainshed-faults-"))
    driver = BoxDriver(home, TRAINSHED_DATABASE_URL=postgresql_url)
    try:
        driver.start("worker")
        yield driver
    finally:
        driver.close()
        shutil.rmtree(home)


class PostgresqlServer:
    """The PostgreSQL server, which can refuse connections to a database."""

    def __init__(self, database: str) -> None:
        self.database = database
        address = sa.make_url(POSTGRESQL).set(drivername="postgresql+psycopg")
        self.engine = sa.create_engine(address, isolation_level="AUTOCOMMIT")

    def refuse_connections(self) -> None:
        """Close every connection and accept no new connections."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {self.database} ALLOW_CONNECTIONS false")
            terminate = sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
            )
            connection.execute(terminate, {"name": self.database})

    def accept_connections(self) -> None:
        """Accept connections again."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {self.database} ALLOW_CONNECTIONS true")


def test_training_continues_while_the_database_is_unavailable(
    box_on_postgresql: BoxDriver, undisturbed: dict[str, Any]
) -> None:
    box = box_on_postgresql
    server = PostgresqlServer(sa.make_url(box.settings.database).database or "")
    job_id = box.submit(SPEC, notify=False)
    box.wait_until(lambda: box.last_step(job_id) > STEPS_PER_EPOCH, "an epoch")
    log = box.storage.log(job_id, 1)
    server.refuse_connections()
    time.sleep(OUTAGE_SECONDS)
    box.wait_until(lambda: "database unavailable" in log.read_text(), "a warning in the log")
    server.accept_connections()
    server.engine.dispose()
    box.database.engine.dispose()
    job = box.finish(job_id)
    assert job.state == "succeeded", job.failure
    assert [row.number for row in box.attempts(job_id)] == [1]
    assert box.outcome(job_id) == undisturbed
