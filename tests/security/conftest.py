"""The running API of tests/api, for requests that try to break it."""

from collections.abc import Iterator

import pytest

from tests.api.conftest import (
    _long_timeouts,
    running_service,
    service,
    service_on_postgresql,
    service_on_sqlite,
)
from tests.api.service import Service
from tests.security.damage import Shell


@pytest.fixture
def shell(service: Service) -> Iterator[Shell]:
    """Open a SQL shell on the database of the API."""
    opened = Shell(service.database)
    yield opened
    opened.close()


__all__ = [
    "_long_timeouts",
    "running_service",
    "service",
    "service_on_postgresql",
    "service_on_sqlite",
]
