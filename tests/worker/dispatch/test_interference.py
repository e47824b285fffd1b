"""When jobs that share a device are separated, with speeds that the test reports."""

from collections.abc import Sequence

from shared.jobs.liveness import Speed
from worker.dispatch.interference import (
    APART_SECONDS,
    TOGETHER_SECONDS,
    Interference,
    Separation,
)

DEVICE = "cuda:0"


class Box:
    """A device whose jobs report their speed every two seconds."""

    def __init__(self) -> None:
        self.interference = Interference()
        self.now = 0.0

    def run(self, seconds: float, **speeds: float | None) -> list[Separation]:
        """Let jobs run, the oldest first; the first letter of a job's name is its kind."""
        found: list[Separation] = []
        end = self.now + seconds
        while self.now < end:
            self.now += 2.0
            jobs = [Speed(name, DEVICE, name[0], value) for name, value in speeds.items()]
            found += self.interference.observe(self.now, jobs)
        return found

    def apart(self) -> Sequence[tuple[str, str]]:
        return self.interference.apart(self.now)


def test_a_pair_slower_than_one_after_the_other_loses_its_newest_job() -> None:
    box = Box()
    box.run(20, a=100)
    box.run(20, b=200)
    assert box.run(TOGETHER_SECONDS + 10, a=50, b=80) == [Separation("b", 0.9)]
    assert box.apart() == [("a", "b")]
    box.now += APART_SECONDS + 1
    assert box.apart() == [], "it is tried again after a day"


def test_a_pair_that_gains_stays() -> None:
    box = Box()
    box.run(20, a=100)
    box.run(20, b=200)
    assert box.run(10 * TOGETHER_SECONDS, a=60, b=110) == []
    assert box.apart() == []


def test_a_job_that_was_never_alone_counts_like_its_neighbours() -> None:
    box = Box()
    box.run(20, a=100)
    assert box.run(TOGETHER_SECONDS + 10, a=50, b=80) == [Separation("b", 1.0)]


def test_nothing_is_said_of_jobs_of_which_none_was_ever_alone() -> None:
    assert Box().run(10 * TOGETHER_SECONDS, a=1, b=1) == []


def test_three_jobs_are_judged_together_and_again_when_their_company_changes() -> None:
    box = Box()
    box.run(20, a1=100)
    assert box.run(TOGETHER_SECONDS + 10, a1=70, a2=70) == []
    assert box.run(TOGETHER_SECONDS - 10, a1=30, a2=30, a3=30) == []
    assert box.run(20, a1=30, a2=30, a3=30) == [Separation("a3", 0.9)]
    assert box.apart() == [("a", "a")]


def test_the_time_before_the_first_step_does_not_count() -> None:
    box = Box()
    box.run(20, a=100)
    assert box.run(5 * TOGETHER_SECONDS, a=100, b=None) == []
    assert box.run(TOGETHER_SECONDS - 10, a=50, b=50) == []
    assert box.run(20, a=50, b=50) == [Separation("b", 1.0)]
