"""Which changes end a wait, without HTTP."""

import asyncio
import threading

import pytest

from api.services.change_watcher import Change, ChangeWatcher, Version
from api.services.queue_order import QueueOrder
from shared.jobs import queries
from tests.api.service import Service

LONG_SECONDS = 20
SHORT_SECONDS = 0.4


@pytest.mark.parametrize(
    ("change", "ends_wait"), [(Change.ANY, True), (Change.RECORD, False), (Change.STATE, False)]
)
def test_new_queue_position_ends_only_a_wait_for_any_change(
    service: Service, change: Change, ends_wait: bool
) -> None:
    service.submit()
    job_id = service.submit()
    with service.database.read() as connection:
        row = queries.get_job(connection, job_id)
    assert row is not None
    version = Version.of(row, 3)

    async def wait() -> bool:
        watcher = ChangeWatcher(service.database, QueueOrder(service.database))
        seconds = LONG_SECONDS if ends_wait else SHORT_SECONDS
        return await watcher.wait_for_change(
            job_id, version, timeout_seconds=seconds, change=change
        )

    assert asyncio.run(wait()) is ends_wait


class SlowWatcher(ChangeWatcher):
    """A watcher whose first round reads the old version and takes until it is released."""

    def __init__(self, service: Service, old: Version, new: Version) -> None:
        super().__init__(service.database, QueueOrder(service.database))
        self.old, self.new = old, new
        self.is_reading, self.is_released = threading.Event(), threading.Event()

    def _read(self, job_ids: list[str]) -> dict[str, Version]:
        version = self.new if self.is_reading.is_set() else self.old
        self.is_reading.set()
        assert self.is_released.wait(LONG_SECONDS)
        return dict.fromkeys(job_ids, version)


def test_version_read_before_a_waiter_came_does_not_end_its_wait(service: Service) -> None:
    old, new = Version(1, None, "queued", None, 2), Version(2, None, "running", "preflight")

    async def wait() -> tuple[bool, bool]:
        watcher = SlowWatcher(service, old, new)
        earlier = asyncio.create_task(
            watcher.wait_for_change("job", old, timeout_seconds=LONG_SECONDS)
        )
        await asyncio.to_thread(watcher.is_reading.wait, LONG_SECONDS)
        later = asyncio.create_task(
            watcher.wait_for_change("job", new, timeout_seconds=SHORT_SECONDS)
        )
        await asyncio.sleep(0)  # lets the later waiter start before the round ends
        watcher.is_released.set()
        return await earlier, await later

    assert asyncio.run(wait()) == (True, False)
