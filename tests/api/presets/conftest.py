"""One kind of database: presets do not depend on it."""

import pytest

from tests.api.service import Service


@pytest.fixture(scope="session")
def running_service(service_on_sqlite: Service) -> Service:
    return service_on_sqlite
