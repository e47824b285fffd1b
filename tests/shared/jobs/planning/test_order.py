"""The order of waiting jobs between owners."""

from dataclasses import replace
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.jobs.planning.box import Owner, Policy, Rank, WaitingJob, own_order
from shared.jobs.planning.order import in_order
from tests.shared.jobs.planning.boxes import EXAMPLES, NOW, State, states


def _job(
    name: str, owner: str, priority: int = 0, seconds: float = 100.0, age: float = 10.0
) -> WaitingJob:
    return WaitingJob(name, owner, priority, NOW - age, seconds_p50=seconds, seconds_p90=seconds)


def _ids(state: State) -> list[str]:
    return [place.job.id for place in in_order(state.box())]


def _state(jobs: list[WaitingJob], **usage: float) -> State:
    owners = {name: Owner(name, usage=value) for name, value in usage.items()}
    return State(Policy(), owners, [], [], jobs)


def test_the_person_who_has_used_least_is_first_and_own_jobs_go_by_priority_then_age() -> None:
    jobs = [_job("1", "ada"), _job("2", "ada", 10), _job("3", "ben"), _job("4", "ben", -10)]
    assert _ids(_state(jobs, ada=500.0, ben=100.0)) == ["2", "3", "1", "4"]


def test_a_person_with_many_jobs_alternates_with_the_others() -> None:
    jobs = [_job(f"a{number}", "ada") for number in range(4)]
    jobs += [_job(f"b{number}", "ben") for number in range(2)]
    assert _ids(_state(jobs, ada=0.0, ben=50.0)) == ["a0", "b0", "a1", "b1", "a2", "a3"]


def test_twice_the_weight_gives_twice_the_share() -> None:
    jobs = [_job(f"{name}{number}", name) for name in ("a", "b") for number in range(6)]
    state = _state(jobs, a=0.0, b=0.0)
    state.owners["a"] = Owner("a", weight=2.0)
    first = _ids(state)[:6]
    assert (sum(name.startswith("a") for name in first)) == 4


def test_an_owner_who_was_not_served_for_long_is_next_whatever_the_priorities() -> None:
    late = _job("late", "ada", -10, age=Policy().overdue_seconds + 1)
    state = _state([late, _job("urgent", "ben", 10)], ada=1e9, ben=0.0)
    assert _ids(state) == ["late", "urgent"]
    served = {"ada": Owner("ada", usage=1e9, last_start_at=NOW - 5)}
    assert _ids(replace(state, owners=served)) == ["urgent", "late"]


def test_one_job_of_high_priority_at_a_time() -> None:
    jobs = [_job("h1", "ada", 10), _job("h2", "ada", 10), _job("n", "ben")]
    assert _ids(_state(jobs, ada=100.0, ben=0.0)) == ["h1", "n", "h2"]


def test_a_clock_that_steps_back_makes_nothing_overdue() -> None:
    state = _state([_job("1", "ada", age=-1e6), _job("2", "ben", age=5.0)], ada=0.0, ben=1.0)
    assert _ids(state) == ["1", "2"]


@settings(max_examples=EXAMPLES)
@given(states(), st.randoms(use_true_random=False))
def test_the_order_is_total_and_independent_of_the_order_of_rows(
    state: State, random: Random
) -> None:
    shuffled = replace(
        state,
        owners=dict(random.sample(list(state.owners.items()), len(state.owners))),
        running=random.sample(state.running, len(state.running)),
        waiting=random.sample(state.waiting, len(state.waiting)),
    )
    assert list(in_order(state.box())) == list(in_order(shuffled.box()))
    assert sorted(_ids(state)) == sorted(job.id for job in state.waiting)


@settings(max_examples=EXAMPLES)
@given(states())
def test_an_owners_jobs_keep_their_own_order(state: State) -> None:
    for owner in {job.owner for job in state.waiting}:
        own = [place.job for place in in_order(state.box()) if place.job.owner == owner]
        assert own == sorted(own, key=own_order)


@settings(max_examples=EXAMPLES)
@given(states())
def test_the_order_is_by_rank_and_then_by_use(state: State) -> None:
    """Check each pair of neighbours of different owners."""
    places = list(in_order(state.box()))
    for first, second in pairwise(places):
        if first.job.owner != second.job.owner and second.is_head:
            assert first.rank <= second.rank
            if first.rank == second.rank and first.rank is not Rank.OVERDUE:
                assert (first.usage, first.job.id) <= (second.usage, second.job.id)
