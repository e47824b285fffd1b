"""The worker's main process: Celery, the dispatcher and the reaper. Never imports torch."""

from typing import Any

from celery.signals import worker_shutting_down

from shared import logs
from shared.broker import make_celery
from shared.database import Database
from shared.migrations import wait_for_head
from shared.settings import Settings
from worker.dispatch.dispatcher import Dispatcher
from worker.dispatch.host_versions import OtherVersion, check_version
from worker.dispatch.nvml import NoUsableGpu
from worker.dispatch.reaper import Reaper
from worker.locks import worker_lock
from worker.tasks import consume, set_doorbell_handler


def run(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT, then drain its runners.

    Raises:
        SystemExit: no GPU can be used, a worker of the same name is running, or a worker of
            another version.
    """
    logs.configure("worker", settings.log_level)
    settings.make_directories()
    database = Database(settings.database, pool_size=5)
    try:
        dispatcher = Dispatcher(settings, database)
    except NoUsableGpu as error:
        raise SystemExit(str(error)) from None
    _acquire_worker_lock(settings, dispatcher.worker)
    wait_for_head(database)
    try:
        check_version(database, dispatcher.worker)
    except OtherVersion as error:
        raise SystemExit(str(error)) from None
    Reaper(settings, database, dispatcher).start()
    dispatcher.start()
    app = make_celery(settings)
    set_doorbell_handler(app, dispatcher.notify)

    @worker_shutting_down.connect(weak=False)
    def _stop_claiming(**_: Any) -> None:
        dispatcher.stop_claiming()

    try:
        consume(app, dispatcher.worker, lambda: dispatcher.is_draining)
    finally:
        dispatcher.drain()
        database.close()


def _acquire_worker_lock(settings: Settings, worker: str) -> None:
    if not worker_lock(settings, worker).acquire(timeout_seconds=2):
        raise SystemExit(
            f"A worker named {worker!r} is already running in {settings.home}. Stop it, or give "
            "this worker another name with TRAINSHED_WORKER_ID."
        )
