import pytest

from tests.api.datasets.recorded_checks import files
from tests.api.service import Service


@pytest.fixture(autouse=True)
def _no_uploads(service: Service) -> None:
    for path in files(service):
        path.unlink()
