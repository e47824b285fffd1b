"""The doorbell: the one Celery task. It carries nothing; a message that does is refused."""

import itertools
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import celery
import structlog
from celery.signals import setup_logging

from shared.broker import QUEUE, RING

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


def hear(app: celery.Celery, ring: Callable[[], None]) -> None:
    """Have `ring` called whenever the doorbell sounds."""
    refused = itertools.count(1)

    # Of this application alone: a shared task would be every other one's, with this `ring`.
    @app.task(name=RING, typing=False, shared=False)
    def train(*args: Any, **kwargs: Any) -> None:
        if args or kwargs:
            log.warning("a doorbell with arguments was refused", refused=next(refused))
        else:
            ring()


def listen(app: celery.Celery, worker: str, is_over: Callable[[], bool]) -> None:
    """Listen to the broker until the worker is told to end.

    A message that is no JSON ends Celery's consumer for good: trainings must not end with it.
    """

    @setup_logging.connect(weak=False)
    def _leave_our_logging_alone(**_: Any) -> None:
        for library in ("celery", "kombu"):
            logging.getLogger(library).setLevel(logging.WARNING)

    while not is_over():
        with suppress(SystemExit):
            app.worker_main([*ARGUMENTS, f"--hostname={worker}@%h"])
        if not is_over():
            log.error("Celery ended by itself and is started again")
            time.sleep(RESTART_SECONDS)
