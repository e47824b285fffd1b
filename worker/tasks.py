"""The doorbell's end in the worker: a Celery consumer of messages that carry no data."""

import itertools
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import celery
import structlog
from celery.signals import setup_logging
from celery.worker.consumer import Consumer
from celery.worker.loops import asynloop, synloop
from kombu.message import Message

from shared.broker import QUEUE, RING_TASK

log = structlog.get_logger()

RESTART_SECONDS = 1.0
#: What kombu raises for an envelope that is not JSON, or lacks a part or has another type there.
ENVELOPE_ERRORS = (ValueError, TypeError, KeyError, AttributeError)
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


def set_doorbell_handler(app: celery.Celery, notify: Callable[[], None]) -> None:
    """Have `app` call `notify` at each doorbell message, and drop and count all others."""

    class DoorbellConsumer(Consumer):
        """A consumer that acknowledges each message before it looks at its content.

        Celery leaves a message whose body it cannot read in the queue of unacknowledged messages,
        ends, and reads it again after the restart. This consumer never reads a message twice.
        """

        dropped = itertools.count(1)

        def create_task_handler(self, *_: Any, **__: Any) -> Callable[..., None]:
            def handle(message: Message) -> None:
                message.ack_log_error(logging.getLogger("celery"), self.connection_errors)
                if is_doorbell(message):
                    notify()
                else:
                    self._record_drop("not the doorbell's message")

            return handle

        def _record_drop(self, reason: str) -> None:
            log.warning("doorbell message dropped", reason=reason, dropped=next(self.dropped))

        def loop(self, *arguments: Any) -> None:
            """Consume messages; connect again after an envelope that cannot be decoded."""
            try:
                (asynloop if self.hub else synloop)(*arguments)
            except ENVELOPE_ERRORS as error:
                self._record_drop(f"its envelope cannot be decoded: {type(error).__name__}")
                raise ConnectionResetError("an envelope could not be decoded") from error

    app.conf.worker_consumer = DoorbellConsumer


def is_doorbell(message: Message) -> bool:
    """Return whether this is the doorbell's message: its name, and neither data nor arguments."""
    headers = message.headers
    if not isinstance(headers, dict) or headers.get("task") != RING_TASK:
        return False
    try:
        body = message.decode()
    except Exception:  # noqa: BLE001 - kombu raises what its decoders raise
        return False
    return isinstance(body, list) and body[:2] == [[], {}]


def consume(app: celery.Celery, worker: str, is_over: Callable[[], bool]) -> None:
    """Consume the broker's messages until Celery is stopped and `is_over` returns True."""

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
