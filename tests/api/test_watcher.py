"""What ends a wait, without HTTP."""

import asyncio
import threading

import pytest

from api.services.change_watcher import ANYTHING, STATE, WORK, ChangeWatcher, Version
from api.services.queue_order import QueueOrder
from shared.jobs import queries
from tests.api.service import Service

LONG_SECONDS = 20
SHORT_SECONDS = 0.4


@pytest.mark.parametrize(("parts", "is_told"), [(ANYTHING, True), (WORK, False), (STATE, False)])
def test_another_place_in_the_queue_is_a_change_to_who_waits_for_any(
    service: Service, parts: slice, is_told: bool
) -> None:
    service.submit()
    job_id = service.submit()
    with service.database.read() as connection:
        row = queries.get_job(connection, job_id)
    assert row is not None
    seen = Version.of(row, 3)

    async def wait() -> bool:
        watcher = ChangeWatcher(service.database, QueueOrder(service.database))
        seconds = LONG_SECONDS if is_told else SHORT_SECONDS
        return await watcher.changed(job_id, seen, timeout_seconds=seconds, parts=parts)

    assert asyncio.run(wait()) is is_told


class Slow(ChangeWatcher):
    """Its first round reads the old version, and takes until it is released."""

    def __init__(self, service: Service, old: Version, new: Version) -> None:
        super().__init__(service.database, QueueOrder(service.database))
        self.old, self.new = old, new
        self.is_reading, self.is_released = threading.Event(), threading.Event()

    def _read(self, job_ids: list[str]) -> dict[str, Version]:
        version = self.new if self.is_reading.is_set() else self.old
        self.is_reading.set()
        assert self.is_released.wait(LONG_SECONDS)
        return dict.fromkeys(job_ids, version)


def test_a_version_read_before_the_waiter_came_does_not_end_its_wait(service: Service) -> None:
    old, new = Version(1, None, "queued", None, 2), Version(2, None, "running", "preflight")

    async def wait() -> tuple[bool, bool]:
        watcher = Slow(service, old, new)
        earlier = asyncio.create_task(watcher.changed("job", old, timeout_seconds=LONG_SECONDS))
        await asyncio.to_thread(watcher.is_reading.wait, LONG_SECONDS)
        later = asyncio.create_task(watcher.changed("job", new, timeout_seconds=SHORT_SECONDS))
        await asyncio.sleep(0)  # so that it has come before the round ends
        watcher.is_released.set()
        return await earlier, await later

    assert asyncio.run(wait()) == (True, False)
