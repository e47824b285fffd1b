"""The doorbell: the one Celery task. It carries nothing; a message that does is refused."""

import itertools
from collections.abc import Callable
from typing import Any

import celery
import structlog

from shared.queue import RING

log = structlog.get_logger()


def hear(app: celery.Celery, ring: Callable[[], None]) -> None:
    """Have `ring` called whenever the doorbell sounds."""
    refused = itertools.count(1)

    @app.task(name=RING, typing=False)
    def train(*args: Any, **kwargs: Any) -> None:
        if args or kwargs:
            log.warning("a doorbell with arguments was refused", refused=next(refused))
        else:
            ring()
