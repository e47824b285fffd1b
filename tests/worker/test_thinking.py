"""How the desk's questions wait for each other."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from worker import desk
from worker.thinking import BUSY, Thinking

FAULT = {"pointer": "/architecture", "detail": "takes too long"}
QUESTION: dict[str, Any] = {"ask": "describe"}


class Slow:
    """Thinks until it is let go on."""

    def __init__(self) -> None:
        self.begun, self.go_on, self.asked = threading.Semaphore(0), threading.Event(), 0

    def __call__(self, _: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        self.begun.release()
        self.go_on.wait(10)
        return {"ok": True}


@pytest.fixture
def slow() -> Iterator[Slow]:
    made = Slow()
    yield made
    made.go_on.set()


def test_a_question_that_takes_too_long_has_the_fault_of_its_kind(slow: Slow) -> None:
    thinking = Thinking(slow, threads=1, waiting=1, too_long=FAULT, seconds=0)
    slow_one = Thinking(slow, threads=1, waiting=1, too_long=None, seconds=0)
    for kind, answer in ((thinking, {"ok": False, "faults": [FAULT]}), (slow_one, BUSY)):
        kind._seconds = 0.1
        assert kind.about(QUESTION) == answer


def test_one_that_has_not_begun_is_not_to_blame_and_is_dropped(slow: Slow) -> None:
    thinking = Thinking(slow, threads=1, waiting=1, too_long=FAULT, seconds=0.1)
    thinking.about(QUESTION)
    assert thinking.about(QUESTION) == BUSY
    slow.go_on.set()
    thinking._seconds = 10
    assert thinking.about(QUESTION) == {"ok": True}
    assert slow.asked == 2, "the dropped one was never thought about"


def test_more_than_may_wait_are_told_at_once(slow: Slow) -> None:
    thinking = Thinking(slow, threads=1, waiting=1, too_long=FAULT, seconds=10)
    with ThreadPoolExecutor(2) as asking:
        there = [asking.submit(thinking.about, QUESTION) for _ in range(2)]
        assert slow.begun.acquire(timeout=10)
        while thinking._room._value:  # pyright: ignore[reportAttributeAccessIssue]
            pass
        assert thinking.about(QUESTION) == BUSY
        slow.go_on.set()
        assert [one.result(10) for one in there] == [{"ok": True}] * 2
    assert thinking.about(QUESTION) == {"ok": True}


def test_pictures_leave_the_threads_of_networks_alone(
    slow: Slow, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setitem(desk.QUESTIONS, "preview", slow)
    listening = desk.listen(f"unix://{tmp_path / 'desk.sock'}")
    try:
        server = desk.Desk(listening)
        pictures = server.thinking["preview"]
        pictures._seconds = 0.05
        for _ in range(8):
            assert pictures.about({"ask": "preview"}) == BUSY
        assert slow.asked == 1, "one at a time"
        network = {"architecture": {"name": "linear"}, "image": [1, 8, 8], "classes": 10}
        assert server.thinking["describe"].about({"ask": "describe", **network})["ok"]
    finally:
        listening.close()
