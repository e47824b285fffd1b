"""A browser that has logged in: a client with cookies, and with the headers that browsers send."""

from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa

from shared import tables
from tests.api.service import KEY, Service

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(scope="session")
def running_service(service_on_sqlite: Service) -> Service:
    """Return the API on one kind of database: pages call its routes and have no SQL."""
    return service_on_sqlite


@pytest.fixture
def stranger(service: Service) -> Iterator[httpx.Client]:
    """Return a browser without a session."""
    address = str(service.client.base_url).rstrip("/")
    headers = {**HTML, "Origin": address, "Sec-Fetch-Site": "same-origin"}
    with httpx.Client(base_url=address, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture
def accounts(service: Service) -> Iterator[Service]:
    """Return the service with the admin alone, without keys, sessions and a history."""
    _forget_accounts(service)
    yield service
    _forget_accounts(service)


def _forget_accounts(service: Service) -> None:
    with service.database.write() as connection:
        for table in (tables.sessions, tables.keys, tables.audit):
            connection.execute(sa.delete(table))
        connection.execute(sa.delete(tables.users).where(tables.users.c.name != "admin"))
    service.app.state.services.authenticator._known.clear()


@pytest.fixture
def browser(stranger: httpx.Client) -> httpx.Client:
    """Return a browser with a session."""
    response = stranger.post("/login", data={"key": KEY})
    assert response.status_code == 303, response.text
    return stranger
