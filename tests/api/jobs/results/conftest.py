"""A running job with checkpoints."""

import pytest

from shared.jobs.attempts import Lease
from tests.api.jobs.results.files import with_file
from tests.api.service import Service, checkpoint_row


@pytest.fixture
def lease(service: Service) -> Lease:
    """Start a job and record a checkpoint of each kind."""
    lease = service.start_job()
    rows = [
        checkpoint_row("initial", 0, epoch=0),
        checkpoint_row("best", 10, monitor="val_loss", mode="min", value=0.5),
        checkpoint_row("last", 20, epoch=2),
        checkpoint_row("series", 20, epoch=2),
        checkpoint_row("last", 30, epoch=3),
    ]
    service.record(lease, checkpoints=[with_file(service, lease, row) for row in rows])
    return lease
