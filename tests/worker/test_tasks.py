"""The doorbell as the worker hears it."""

import celery
import pytest

from shared.broker import RING
from worker.tasks import register_doorbell_task


@pytest.fixture
def rings() -> list[int]:
    return []


@pytest.fixture
def app(rings: list[int]) -> celery.Celery:
    app = celery.Celery("test", broker="memory://", set_as_current=False)
    register_doorbell_task(app, lambda: rings.append(1))
    return app


def test_the_doorbell_rings(app: celery.Celery, rings: list[int]) -> None:
    app.tasks[RING].run()

    assert rings == [1]


@pytest.mark.parametrize(
    ("args", "kwargs"), [((1,), {}), ((), {"spec": {}}), ((None,), {"a": None})]
)
def test_one_that_carries_something_is_refused(
    app: celery.Celery, rings: list[int], args: tuple[object, ...], kwargs: dict[str, object]
) -> None:
    app.tasks[RING].run(*args, **kwargs)

    assert rings == []


def test_there_is_no_other_task(app: celery.Celery) -> None:
    assert [name for name in app.tasks if not name.startswith("celery.")] == [RING]
