"""Runners that have to leave their device: it is gone, or they are too slow next to others."""

import time
from collections.abc import Iterable, Mapping

import structlog

from shared.database import Database
from shared.jobs import liveness
from worker.dispatch.occupancy import Occupancy
from worker.dispatch.runners import Runner

log = structlog.get_logger()


def stop_on_lost_devices(occupancy: Occupancy, runners: Iterable[Runner]) -> None:
    """Kill the runners on devices that are gone, since a step there never ends."""
    for runner in runners:
        if any(map(occupancy.is_lost, runner.devices)):
            runner.abandon_device()


def stop_slow_neighbours(
    database: Database, worker: str, occupancy: Occupancy, runners: Mapping[str, Runner]
) -> None:
    """Mark runners that are slower next to others than after them; they start again later.

    Args:
        database: with the speeds that runners report.
        worker: the id of the worker.
        occupancy: of its devices.
        runners: by the id of the job.
    """
    if not any(map(occupancy.can_share, occupancy.devices)):
        return
    with database.read() as connection:
        speeds = liveness.list_speeds(connection, worker)
    for separation in occupancy.interference.observe(time.monotonic(), speeds):
        runner = runners.get(separation.job_id)
        if runner is not None:
            log.info("job separated", job=separation.job_id, gain=separation.gain)
            runner.is_separated = True
