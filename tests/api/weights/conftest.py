"""An empty folder of uploads for every test."""

import pytest

from tests.api.service import Service


@pytest.fixture(autouse=True)
def _no_uploads(service: Service) -> None:
    for path in service.storage.weights("").parent.glob("*"):
        path.unlink()
