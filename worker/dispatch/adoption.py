"""What a worker finds when it starts: trainings of the worker before it, alive or gone."""

import structlog

from shared.database import Database
from shared.errors import Fenced
from shared.jobs import attempts, liveness
from shared.settings import Settings
from worker.dispatch.devices import Device
from worker.dispatch.runners import Runner, oom_kills
from worker.locks import holder, is_held, job_lock

log = structlog.get_logger()


def adopt(
    settings: Settings, database: Database, *, worker: str, host: str, devices: list[Device]
) -> dict[str, Runner]:
    """Take over what still runs, by its device; give back the jobs of what does not.

    A held lock decides, not the database: a runner may be older than its first heartbeat.

    Raises:
        Unavailable: the database is away.
    """
    adopted: dict[str, Runner] = {}
    with database.read() as connection:
        beats = liveness.beats(connection, host=host)
    for beat in beats:
        lock = job_lock(settings, beat.lease.job_id)
        if beat.worker != worker:
            continue
        pid = (beat.pid or holder(lock)) if is_held(lock) else None
        if pid is None:
            _give_back(database, beat)
            continue
        name = next(iter(beat.devices), "")
        device = next((one for one in devices if one.name == name), Device(name, "gone"))
        adopted[name] = Runner(beat.lease, device, pid, None, kills_before=oom_kills())
        log.info("adopted", job=beat.lease.job_id, pid=pid, device=name)
    return adopted


def _give_back(database: Database, beat: liveness.Beat) -> None:
    try:
        with database.write() as connection:
            state = attempts.stop(connection, beat.lease, "worker_lost")
    except Fenced:
        return
    log.info("given back", job=beat.lease.job_id, state=state)
