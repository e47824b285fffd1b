"""What of a job that still trains may be sent: nothing that a resumed attempt would repeat."""

import pytest

from shared.clock import now
from shared.database import Database
from shared.jobs import queries
from shared.jobs.recording import Batch, NewMetric, record
from tests.shared.rows import checkpoint_row
from tests.worker.jobs import claimed
from worker.tracking.sync import safe_place


@pytest.mark.parametrize(
    ("previous", "sent"),
    [
        ((8, 2), [4, 8]),  # of an epoch's end
        ((8, 1), [4]),  # of an epoch's last step, whose end would be repeated
        ((6, 1), [4]),
        (None, None),
    ],
)
def test_what_is_past_the_checkpoint_before_the_last_one_waits(
    database: Database, previous: tuple[int, int] | None, sent: list[int] | None
) -> None:
    lease = claimed(database)
    rows = [
        NewMetric(
            name="loss", split="train", stage="train", step=4 * e, epoch=e, value=1.0, at=now()
        )
        for e in (1, 2, 3)
    ]
    with database.write() as connection:
        record(connection, lease, Batch(metrics=rows))
    kept = [checkpoint_row("last", 12, epoch=3), checkpoint_row("best", 4, epoch=1)]
    if previous is not None:
        step, epoch = previous
        kept.append(checkpoint_row("previous", step, epoch=epoch))

    bound = safe_place(kept)

    if sent is None:
        assert bound is None
        return
    with database.read() as connection:
        found = queries.metrics(connection, lease.job_id, up_to=bound)
    assert [row.step for row in found] == sent
