"""The doorbell's task in the worker."""

import celery
import pytest

from shared.broker import RING_TASK
from worker.tasks import register_doorbell_task


@pytest.fixture
def notifications() -> list[int]:
    return []


@pytest.fixture
def app(notifications: list[int]) -> celery.Celery:
    app = celery.Celery("test", broker="memory://", set_as_current=False)
    register_doorbell_task(app, lambda: notifications.append(1))
    return app


def test_a_message_notifies_the_dispatcher(app: celery.Celery, notifications: list[int]) -> None:
    app.tasks[RING_TASK].run()

    assert notifications == [1]


@pytest.mark.parametrize(
    ("args", "kwargs"), [((1,), {}), ((), {"spec": {}}), ((None,), {"a": None})]
)
def test_a_message_with_arguments_is_refused(
    app: celery.Celery,
    notifications: list[int],
    args: tuple[object, ...],
    kwargs: dict[str, object],
) -> None:
    app.tasks[RING_TASK].run(*args, **kwargs)

    assert notifications == []


def test_there_is_no_other_task(app: celery.Celery) -> None:
    assert [name for name in app.tasks if not name.startswith("celery.")] == [RING_TASK]
