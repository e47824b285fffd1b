"""The API, started once for each kind of database; every test begins with an empty database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.services import sidecar_client
from shared import migrations, tables
from shared.database import Database
from shared.sidecar import send
from tests.api.service import TIMEOUT_SECONDS, Service, serve
from tests.conftest import postgresql_database
from tests.fakes.sidecar import accept_everything

EMPTIED = (
    tables.jobs,
    tables.sidecar_responses,
    tables.workers,
    tables.weights,
    tables.datasets,
    tables.observations,
)


@pytest.fixture(scope="session")
def service_on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Serve the API on SQLite for all tests of the session."""
    home = tmp_path_factory.mktemp("api")
    yield from serve_empty(f"sqlite:///{home / 'test.db'}", home)


@pytest.fixture(scope="session")
def service_on_postgresql(
    postgresql_away: str | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Serve the API on PostgreSQL for all tests of the session."""
    with postgresql_database(postgresql_away) as address:
        yield from serve_empty(address, tmp_path_factory.mktemp("api"))


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def running_service(request: pytest.FixtureRequest) -> Service:
    """Return the API on each kind of database; folders without SQL take one kind."""
    return request.getfixturevalue(f"service_on_{request.param}")


def serve_empty(address: str, home: Path) -> Iterator[Service]:
    """Serve the API over an empty database, which gets its tables first."""
    database = Database(address, pool_size=1)
    migrations.upgrade(database)
    database.close()
    with serve(address, home) as service:
        yield service


@pytest.fixture
def _long_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lengthen timeouts, since API, fake sidecar and test share a core."""
    monkeypatch.setattr(sidecar_client, "TURN_TIMEOUT_SECONDS", TIMEOUT_SECONDS)
    monkeypatch.setitem(send.__kwdefaults__, "timeout_seconds", TIMEOUT_SECONDS)


@pytest.fixture
def service(running_service: Service, _long_timeouts: None) -> Service:
    """Return the API over an empty database, with a sidecar that accepts everything."""
    with running_service.database.write() as connection:
        for table in EMPTIED:
            connection.execute(sa.delete(table))
    running_service.sidecar.respond = accept_everything
    running_service.sidecar.requests.clear()
    running_service.app.state.services.sidecar._cache.cache_clear()
    running_service.app.state.services.estimator._kept.clear()
    running_service.app.state.services.queue_order._read_at = float("-inf")
    return running_service
