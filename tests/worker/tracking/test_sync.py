"""Which metrics of a running job are sent: none that a resumed attempt would record again."""

import pytest

from shared.clock import now
from shared.database import Database
from shared.jobs import queries
from shared.jobs.recording import Batch, NewMetric, record
from tests.shared.rows import checkpoint_row
from tests.worker.jobs import claimed
from worker.tracking.sync import sendable_up_to


@pytest.mark.parametrize(
    ("previous", "sent"),
    [
        ((8, 2), [4, 8]),  # at the end of an epoch
        ((8, 1), [4]),  # at an epoch's last step, before the epoch's end
        ((6, 1), [4]),
        (None, None),
    ],
)
def test_metrics_after_the_previous_checkpoint_are_not_sent(
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
    checkpoints = [checkpoint_row("last", 12, epoch=3), checkpoint_row("best", 4, epoch=1)]
    if previous is not None:
        step, epoch = previous
        checkpoints.append(checkpoint_row("previous", step, epoch=epoch))

    bound = sendable_up_to(checkpoints)

    if sent is None:
        assert bound is None
        return
    with database.read() as connection:
        rows = queries.list_metrics(connection, lease.job_id, up_to=bound)
    assert [row.step for row in rows] == sent
