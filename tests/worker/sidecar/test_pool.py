"""How the sidecar's questions wait for each other, and which of them are to blame."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from shared import sidecar
from worker.sidecar import pool, server
from worker.sidecar.pool import BUSY, RequestPool

FAULT = {"pointer": "/architecture", "detail": "takes too long"}
REFUSED = {"ok": False, "faults": [FAULT]}
NUMBERS = count()
PATIENCE_SECONDS = 60.0


def question() -> dict[str, Any]:
    """One that was not asked before."""
    return {"ask": "describe", "number": next(NUMBERS)}


class Slow:
    """Thinks until it is let go on, without taking anything of a processor."""

    def __init__(self) -> None:
        self.begun, self.go_on, self.asked = threading.Semaphore(0), threading.Event(), 0

    def __call__(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        self.begun.release()
        self.go_on.wait(PATIENCE_SECONDS)
        return {"ok": True, "about": asked}


class Hard(Slow):
    """Thinks until it is let go on, and keeps a processor busy with it."""

    def __call__(self, asked: dict[str, Any]) -> dict[str, Any]:
        while not self.go_on.is_set():
            pass
        return super().__call__(asked)


@pytest.fixture
def slow() -> Iterator[Slow]:
    made = Slow()
    yield made
    made.go_on.set()


@pytest.fixture
def hard() -> Iterator[Hard]:
    made = Hard()
    yield made
    made.go_on.set()


def until(condition: Any) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def until_begun(kind: RequestPool, asked: dict[str, Any], slow: Slow) -> None:
    """Ask until it is thought about: one that did not begin in time was dropped."""
    before = slow.asked
    until(lambda: kind.about(asked) == BUSY and slow.asked > before)


def burn(_: dict[str, Any]) -> dict[str, Any]:
    """Take a fifth of a second of a processor, however long that is on the clock."""
    end = time.thread_time() + 0.2
    while time.thread_time() < end:
        pass
    return {"ok": True}


class TestBlame:
    def test_a_question_that_takes_too_much_has_the_fault_of_its_kind(self, hard: Hard) -> None:
        bounds: dict[str, Any] = {"threads": 1, "waiting": 1, "seconds": 0.3, "cpu_seconds": 0.001}
        kind, asked = RequestPool(hard, too_long=FAULT, **bounds), question()
        until(lambda: kind.about(asked) == REFUSED)
        assert RequestPool(hard, too_long=None, **bounds).about(question()) == BUSY

    def test_one_that_only_waited_has_none(self, slow: Slow) -> None:
        kind = RequestPool(slow, threads=1, waiting=1, too_long=FAULT, seconds=0.3, cpu_seconds=0.1)
        assert kind.about(question()) == BUSY

    def test_none_of_several_that_hold_each_other_up_has_one(self) -> None:
        kind = RequestPool(burn, threads=4, waiting=4, too_long=FAULT, seconds=0.3)
        questions = [question() for _ in range(4)]
        with ThreadPoolExecutor(4) as asking:
            first = list(asking.map(kind.about, questions))
            assert BUSY in first, "they share one interpreter"
            assert REFUSED not in first
            kind._seconds = PATIENCE_SECONDS
            assert list(asking.map(kind.about, questions)) == [{"ok": True}] * 4

    def test_what_took_too_much_is_refused_however_late(self) -> None:
        kind = RequestPool(burn, threads=1, waiting=1, too_long=FAULT, cpu_seconds=0.05)
        assert kind.about(question()) == REFUSED


class TestLateAnswers:
    def test_whoever_asks_again_has_it(self, slow: Slow) -> None:
        kind = RequestPool(slow, threads=1, waiting=1, too_long=FAULT, seconds=0.05)
        asked = question()
        until_begun(kind, asked, slow)
        assert kind.about(asked) == BUSY
        slow.go_on.set()
        until(lambda: kind._room._value == 2)  # pyright: ignore[reportAttributeAccessIssue]
        kind._seconds = 0
        assert kind.about(dict(reversed(asked.items()))) == {"ok": True, "about": asked}
        assert slow.asked == 1
        kind._seconds = PATIENCE_SECONDS
        assert kind.about(asked)["ok"]
        assert slow.asked == 2, "once heard it is not kept any more"

    def test_a_question_asked_twice_at_once_is_thought_about_once(
        self, slow: Slow, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kind = RequestPool(slow, threads=2, waiting=1, too_long=FAULT, seconds=PATIENCE_SECONDS)
        begin, came = kind._thought, threading.Semaphore(0)

        def noted(*given: Any) -> Any:
            thought = begin(*given)
            came.release()
            return thought

        monkeypatch.setattr(kind, "_thought", noted)
        with ThreadPoolExecutor(3) as asking:
            answers = asking.map(kind.about, [question()] * 3)
            assert all(came.acquire(timeout=PATIENCE_SECONDS) for _ in range(3))
            slow.go_on.set()
            assert all(one["ok"] for one in answers)
        assert slow.asked == 1

    def test_only_the_latest_are_kept_and_not_for_long(
        self, slow: Slow, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kind = RequestPool(slow, threads=8, waiting=0, too_long=FAULT, seconds=0.1)
        monkeypatch.setattr(pool, "MOST_KEPT", 3)
        questions = [question() for _ in range(8)]
        for one in questions:
            until_begun(kind, one, slow)
        slow.go_on.set()
        until(lambda: kind._room._value == 8)  # pyright: ignore[reportAttributeAccessIssue]
        kind._forget()
        assert len(kind._thoughts) == 3
        asked = slow.asked
        assert kind.about(questions[-1])["about"] == questions[-1]
        assert slow.asked == asked
        monkeypatch.setattr(pool, "KEPT_SECONDS", 0)
        kind._forget()
        assert not kind._thoughts


class TestRoom:
    def test_one_that_has_not_begun_is_dropped(self, slow: Slow) -> None:
        kind = RequestPool(slow, threads=1, waiting=1, too_long=FAULT, seconds=0.1)
        until_begun(kind, question(), slow)
        assert kind.about(question()) == BUSY
        slow.go_on.set()
        kind._seconds = PATIENCE_SECONDS
        assert kind.about(question())["ok"]
        assert slow.asked == 2, "the dropped one was never thought about"

    def test_more_than_may_wait_are_told_at_once(self, slow: Slow) -> None:
        kind = RequestPool(slow, threads=1, waiting=1, too_long=FAULT, seconds=PATIENCE_SECONDS)
        with ThreadPoolExecutor(2) as asking:
            there = [asking.submit(kind.about, question()) for _ in range(2)]
            assert slow.begun.acquire(timeout=PATIENCE_SECONDS)
            until(lambda: not kind._room._value)  # pyright: ignore[reportAttributeAccessIssue]
            assert kind.about(question()) == BUSY
            slow.go_on.set()
            assert all(one.result(PATIENCE_SECONDS)["ok"] for one in there)
        assert kind.about(question())["ok"]

    def test_pictures_leave_the_threads_of_networks_alone(
        self, slow: Slow, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
    ) -> None:
        monkeypatch.setitem(server.QUESTIONS, "preview", slow)
        listening = sidecar.listen(f"unix://{tmp_path / 'sidecar.sock'}")
        try:
            serving = server.SidecarServer(listening)
            pictures = serving.thinking["preview"]
            pictures._seconds = 0.05
            until_begun(pictures, {"ask": "preview", "seed": 0}, slow)
            for number in range(1, 8):
                assert pictures.about({"ask": "preview", "seed": number}) == BUSY
            assert slow.asked == 1, "one at a time"
            network = {"architecture": {"name": "linear"}, "image": [1, 8, 8], "classes": 10}
            networks = serving.thinking["describe"]
            networks._seconds = PATIENCE_SECONDS
            assert networks.about({"ask": "describe", **network})["ok"]
        finally:
            listening.close()
