"""Which of the broker's messages notify the dispatcher."""

import uuid
from typing import Any

import celery
import pytest
from kombu.message import Message

from shared.broker import QUEUE, RING_TASK, ring
from worker.tasks import is_doorbell


@pytest.fixture
def app() -> celery.Celery:
    app = celery.Celery("test", broker=f"memory://{uuid.uuid4()}", set_as_current=False)
    app.conf.update(task_queues={QUEUE: {"exchange": QUEUE, "routing_key": QUEUE}})
    return app


def _receive(app: celery.Celery) -> Message:
    with app.connection_for_read() as connection, connection.SimpleQueue(QUEUE) as queue:
        return queue.get(timeout=5)


def test_the_message_of_the_api_does(app: celery.Celery) -> None:
    ring(app)

    assert is_doorbell(_receive(app))


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        (RING_TASK, (1,), {}),
        (RING_TASK, (None,), {}),
        (RING_TASK, (), {"spec": {}}),
        ("os.system", (), {}),
    ],
)
def test_one_with_arguments_or_another_name_does_not(
    app: celery.Celery, name: str, args: tuple[object, ...], kwargs: dict[str, object]
) -> None:
    app.send_task(name, args=args, kwargs=kwargs, queue=QUEUE)

    assert not is_doorbell(_receive(app))


@pytest.mark.parametrize("body", ["{}", "[]", "null", "[[]]", '[[], {"a": 1}, {}]', "[", "\xff"])
@pytest.mark.parametrize("headers", [{"task": RING_TASK}, {"task": []}, [], None, {}])
def test_a_malformed_message_does_not(body: str, headers: Any) -> None:
    message = Message(
        body=body, headers=headers, content_type="application/json", content_encoding="utf-8"
    )

    assert not is_doorbell(message)
