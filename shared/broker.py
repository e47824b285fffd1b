"""The doorbell: an empty Celery message after which the workers look for queued jobs."""

from typing import Any

import celery

from shared.settings import Settings

QUEUE = "trainshed"
RING_TASK = "trainshed.ring"


def make_celery(settings: Settings) -> celery.Celery:
    """Return the Celery application, the same for the API and the workers.

    The reasons for each option are in `docs/adr/0002-redis-is-a-doorbell.md`.
    """
    app = celery.Celery("trainshed", broker=settings.broker, backend=None, set_as_current=False)
    transport: dict[str, Any] = {
        "visibility_timeout": 3600,
        "global_keyprefix": "trainshed:",
        "health_check_interval": 25,
        "socket_timeout": 5,
    }
    if not settings.broker.startswith("redis+socket"):
        transport |= {"socket_connect_timeout": 2, "socket_keepalive": True}
    app.conf.update(
        task_default_queue=QUEUE,
        task_create_missing_queues=False,
        task_queues={QUEUE: {"exchange": QUEUE, "routing_key": QUEUE}},
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        task_ignore_result=True,
        task_store_eager_result=False,
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        event_serializer="json",
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        broker_pool_acquire_timeout=2,
        broker_transport_options=transport,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        task_send_sent_event=False,
        task_publish_retry=False,
    )
    return app


def ring(app: celery.Celery) -> None:
    """Send one message; raise the error of the Celery client where the broker is away."""
    app.send_task(RING_TASK, queue=QUEUE, ignore_result=True)
