"""The Celery application of a worker: hears the doorbell and wakes the dispatcher. No torch."""

from typing import Any

from celery.signals import worker_shutting_down

from shared import logs
from shared.broker import make_celery
from shared.database import Database
from shared.migrations import wait_for_head
from shared.settings import Settings
from worker.dispatch.devices import NoUsableGpu
from worker.dispatch.dispatcher import Dispatcher
from worker.dispatch.reaper import Reaper
from worker.locks import worker_lock
from worker.tasks import hear, listen


def run(settings: Settings) -> None:
    """Run a worker until it is told to end; its trainings are drained then."""
    logs.configure("worker", settings.log_level)
    settings.make_directories()
    database = Database(settings.database, pool_size=5)
    try:
        dispatcher = Dispatcher(settings, database)
    except NoUsableGpu as error:
        raise SystemExit(str(error)) from None
    _be_the_only_one(settings, dispatcher.worker)
    wait_for_head(database)
    Reaper(settings, database, dispatcher).start()
    dispatcher.start()
    app = make_celery(settings)
    hear(app, dispatcher.ring)

    @worker_shutting_down.connect(weak=False)
    def _stop_claiming(**_: Any) -> None:
        dispatcher.stop_claiming()

    try:
        listen(app, dispatcher.worker, lambda: dispatcher.is_draining)
    finally:
        dispatcher.drain()
        database.close()


def _be_the_only_one(settings: Settings, worker: str) -> None:
    if not worker_lock(settings, worker).take(patience_seconds=2):
        raise SystemExit(
            f"a worker {worker!r} runs in {settings.home} already; stop it, or give this one "
            "another name with TRAINSHED_WORKER_ID"
        )
