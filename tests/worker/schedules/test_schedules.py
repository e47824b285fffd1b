from math import cos, exp, pi

import pytest

from tests.worker.filled import parameters
from worker.registry import schedules
from worker.schedules.schedule import Schedule

TOTAL = 100


def _schedule(name: str, **changes: object) -> Schedule:
    return schedules.bind(name, parameters("schedules", name, **changes))()


def _factors(name: str, **changes: object) -> list[float]:
    schedule = _schedule(name, **changes)
    return [schedule.factor(updates, TOTAL) for updates in range(TOTAL)]


def test_constant_is_1() -> None:
    assert set(_factors("constant")) == {1.0}


def test_inverse_time_is_one_over_one_plus_decay_times_updates() -> None:
    factors = _factors("inverse_time", decay=0.01)
    assert factors == pytest.approx([1 / (1 + 0.01 * t) for t in range(TOTAL)])


def test_step_multiplies_after_every_period() -> None:
    factors = _factors("step", every=30, factor=0.5)
    assert [factors[t] for t in (0, 29, 30, 59, 60, 99)] == [1, 1, 0.5, 0.5, 0.25, 0.125]


def test_exponential_follows_its_formula() -> None:
    assert _factors("exponential", decay=0.02)[50] == pytest.approx(exp(-1))


def test_cosine_falls_to_the_final_fraction() -> None:
    factors = _factors("cosine", final=0.1)
    assert factors[0] == 1.0
    assert factors[50] == pytest.approx(0.55)
    assert factors[99] == pytest.approx(0.1 + 0.9 * (1 + cos(pi * 0.99)) / 2)


class TestOneCycle:
    def test_rises_linearly_and_falls_along_a_cosine(self) -> None:
        factors = _factors("one_cycle", rise=0.4, initial_factor=10.0, final_factor=100.0)
        assert [factors[t] for t in (0, 20, 40)] == pytest.approx([0.1, 0.55, 1.0])
        assert factors[70] == pytest.approx(0.01 + 0.99 / 2)
        assert factors[99] == pytest.approx(0.01 + 0.99 * (1 + cos(pi * 59 / 60)) / 2)

    def test_ends_at_the_final_factor(self) -> None:
        end = _schedule("one_cycle", final_factor=50.0).factor(TOTAL, TOTAL)
        assert end == pytest.approx(1 / 50)

    @pytest.mark.parametrize(("rise", "first", "last"), [(0.0, 1.0, 0.01), (1.0, 0.1, 1.0)])
    def test_can_only_fall_or_only_rise(self, rise: float, first: float, last: float) -> None:
        bounds = {"rise": rise, "initial_factor": 10.0, "final_factor": 100.0}
        schedule = _schedule("one_cycle", **bounds)
        assert schedule.factor(0, TOTAL) == pytest.approx(first)
        assert schedule.factor(TOTAL, TOTAL) == pytest.approx(last)


@pytest.mark.parametrize("name", list(schedules.entries()))
class TestWarmup:
    def test_rises_linearly_to_the_first_factor_of_the_schedule(self, name: str) -> None:
        factors = _factors(name, warmup=10)
        start = _schedule(name).factor(0, TOTAL - 10)
        assert start == (1 / 25 if name == "one_cycle" else 1)
        assert factors[:10] == pytest.approx([start * t / 10 for t in range(1, 11)])

    def test_schedule_starts_after_the_warmup(self, name: str) -> None:
        shorter = [_schedule(name).factor(t, TOTAL - 10) for t in range(TOTAL - 10)]
        assert _factors(name, warmup=10)[10:] == pytest.approx(shorter)

    def test_factor_is_never_negative_even_after_the_end(self, name: str) -> None:
        assert _schedule(name).factor(10 * TOTAL, TOTAL) >= 0
