"""The doorbell's end in the worker: a single Celery task, which carries no data."""

import itertools
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import celery
import structlog
from celery.signals import setup_logging

from shared.broker import QUEUE, RING_TASK

log = structlog.get_logger()

RESTART_SECONDS = 1.0
ARGUMENTS = (
    "--quiet",
    "worker",
    "--pool=threads",
    "--concurrency=1",
    f"--queues={QUEUE}",
    "--without-gossip",
    "--without-mingle",
    "--without-heartbeat",
)


def register_doorbell_task(app: celery.Celery, notify: Callable[[], None]) -> None:
    """Register the task that calls `notify`. It refuses and counts messages with arguments."""
    refused = itertools.count(1)

    # Not shared: Celery would register the task, with this `notify`, at every other application.
    @app.task(name=RING_TASK, typing=False, shared=False)
    def train(*args: Any, **kwargs: Any) -> None:
        if args or kwargs:
            log.warning("doorbell message with arguments refused", refused=next(refused))
        else:
            notify()


def consume(app: celery.Celery, worker: str, is_over: Callable[[], bool]) -> None:
    """Consume the broker's messages until Celery is stopped and `is_over` returns True.

    A message that is not JSON ends Celery's consumer. It is started again: a forged message must
    not end the worker.
    """

    @setup_logging.connect(weak=False)
    def _keep_our_logging(**_: Any) -> None:
        for library in ("celery", "kombu"):
            logging.getLogger(library).setLevel(logging.WARNING)

    while not is_over():
        with suppress(SystemExit):
            app.worker_main([*ARGUMENTS, f"--hostname={worker}@%h"])
        if not is_over():
            log.error("Celery ended unexpectedly and is started again")
            time.sleep(RESTART_SECONDS)
