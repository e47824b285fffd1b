"""Adoption: what a starting worker does with the attempts that its predecessor left running."""

import structlog

from shared.database import Database
from shared.errors import Fenced
from shared.jobs import attempts, liveness
from shared.settings import Settings
from worker.dispatch.device import Device
from worker.dispatch.runners import Runner, count_oom_kills
from worker.locks import holder_pid, is_held, job_lock

log = structlog.get_logger()


def adopt(
    settings: Settings, database: Database, *, worker: str, host: str, devices: list[Device]
) -> dict[str, Runner]:
    """Return the runners that are still alive by job; give back the jobs of the others.

    The job's lock decides what is alive, not the database: a runner may not have sent its first
    heartbeat yet.

    Raises:
        Unavailable: the database cannot be reached.
    """
    adopted: dict[str, Runner] = {}
    with database.read() as connection:
        beats = liveness.list_heartbeats(connection, host=host)
    for beat in beats:
        lock = job_lock(settings, beat.lease.job_id)
        if beat.worker != worker:
            continue
        pid = (beat.pid or holder_pid(lock)) if is_held(lock) else None
        if pid is None:
            _give_back(database, beat)
            continue
        name, *others = beat.devices or [""]
        known = {device.name: device for device in devices}
        device, *further = [known.get(each, Device(each, "gone")) for each in (name, *others)]
        adopted[beat.lease.job_id] = Runner(
            beat.lease, device, pid, None, tuple(further), kills_before=count_oom_kills()
        )
        log.info(
            "runner adopted",
            job=beat.lease.job_id,
            attempt=beat.lease.attempt,
            pid=pid,
            device=name,
        )
    return adopted


def _give_back(database: Database, beat: liveness.ObservedHeartbeat) -> None:
    try:
        with database.write() as connection:
            state = attempts.stop(connection, beat.lease, "worker_lost")
    except Fenced:
        return
    log.info(
        "lost attempt given up", job=beat.lease.job_id, attempt=beat.lease.attempt, state=state
    )
