"""A job with a checkpoint to analyse."""

import pytest

from shared.jobs.attempts import Lease
from tests.api.jobs.results.files import with_file
from tests.api.service import Service, checkpoint_row


@pytest.fixture
def lease(service: Service) -> Lease:
    """Start a job and record its initial and its last checkpoint."""
    lease = service.start_job()
    rows = [checkpoint_row("initial", 0, epoch=0), checkpoint_row("last", 20, epoch=2)]
    service.record(lease, checkpoints=[with_file(service, lease, row) for row in rows])
    return lease
