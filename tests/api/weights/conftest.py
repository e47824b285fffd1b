"""An empty folder of uploads."""

import pytest

from tests.api.service import Service


@pytest.fixture
def no_uploads(service: Service) -> None:
    """Delete the uploads of other tests."""
    for path in service.storage.weights("").parent.glob("*"):
        path.unlink()
