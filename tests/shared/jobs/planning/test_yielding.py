"""Which running jobs give way."""

from dataclasses import replace
from itertools import pairwise
from math import inf

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.jobs.planning.box import HIGH_SECONDS, Device, Owner, Policy, RunningJob, WaitingJob
from shared.jobs.planning.plan import plan
from shared.jobs.planning.yielding import (
    QUANTUM_OVER_SWITCH,
    SOON_SECONDS,
    Yield,
    find_yields,
    quantum_of,
)
from shared.jobs.usage import Ledger
from tests.shared.jobs.planning.boxes import EXAMPLES, NOW, TOTAL_MIB, State, states

POLICY = Policy(time_sharing="exact")
DEVICE = Device("a/cuda:0", "a", TOTAL_MIB, 0.0)
RUNNING = RunningJob(
    "long", "ada", 0, ("a/cuda:0",), NOW - 2_000, TOTAL_MIB, NOW + 5_000, NOW + 9_000
)
WAITING = WaitingJob("short", "ben", 0, NOW - 10, seconds_p50=60.0, seconds_p90=90.0)
OWNERS = {"ada": Owner("ada", usage=2_000.0), "ben": Owner("ben")}
STATE = State(POLICY, OWNERS, [DEVICE], [RUNNING], [WAITING])


def _find(state: State) -> list[Yield]:
    return find_yields(state.box(), plan(state.box()))


def _yields(state: State) -> list[str]:
    return [found.job for found in _find(state)]


def test_a_job_that_has_had_its_quantum_gives_way_to_a_person_who_used_less() -> None:
    assert _yields(STATE) == ["long"]


@pytest.mark.parametrize(
    "changed",
    [
        replace(STATE, running=[replace(RUNNING, started_at=NOW - 1_000)]),
        replace(STATE, running=[replace(RUNNING, priority=10)]),
        replace(STATE, running=[replace(RUNNING, is_exact=False)]),
        replace(STATE, running=[replace(RUNNING, ends_p50=NOW + 39)]),
        replace(STATE, running=[replace(RUNNING, owner="ben")]),
        replace(STATE, running=[replace(RUNNING, is_stopping=True)]),
        replace(STATE, waiting=[replace(WAITING, priority=-10)]),
        replace(STATE, owners=OWNERS | {"ben": Owner("ben", usage=1_900.0)}),
        replace(STATE, policy=Policy()),
    ],
    ids=[
        "its quantum is not over",
        "it has high priority",
        "its resumption would not be exact",
        "it is nearly finished",
        "it is of the same owner",
        "it stops already",
        "the waiting job ranks lower",
        "its owner used hardly more",
        "time sharing is off",
    ],
)
def test_a_job_does_not_give_way_where(changed: State) -> None:
    assert _yields(changed) == []


def test_an_overdue_job_makes_also_inexact_jobs_of_the_same_use_give_way() -> None:
    late = replace(WAITING, eligible_at=NOW - POLICY.overdue_seconds - 1)
    state = replace(STATE, waiting=[late], running=[replace(RUNNING, is_exact=False)])
    assert _yields(replace(state, owners={})) == ["long"]


def test_all_jobs_that_share_a_device_give_way_to_an_overdue_job_that_needs_it() -> None:
    pair = [replace(RUNNING, id=name, memory_mib=TOTAL_MIB / 2) for name in ("x", "y")]
    late = replace(WAITING, eligible_at=NOW - 1e6, memory_mib=0.9 * TOTAL_MIB)
    policy = replace(POLICY, jobs_per_device=4)
    state = replace(STATE, policy=policy, running=pair, waiting=[late])
    assert sorted(_yields(state)) == ["x", "y"]


def test_a_low_job_gives_way_first_and_after_a_shorter_quantum() -> None:
    devices = [DEVICE, replace(DEVICE, id="a/cuda:1")]
    low = replace(
        RUNNING, id="low", priority=-10, devices=("a/cuda:1",), started_at=NOW - 381, owner="cleo"
    )
    owners = OWNERS | {"cleo": Owner("cleo", usage=1_900.0)}
    state = replace(STATE, devices=devices, running=[RUNNING, low], owners=owners)
    assert _yields(state) == ["low"]


def test_an_overdue_job_waits_a_moment_for_a_job_that_is_about_to_end() -> None:
    running = [replace(RUNNING, ends_p50=NOW + 30)]
    overdue_at = NOW - POLICY.overdue_seconds
    just = replace(WAITING, eligible_at=overdue_at - 1)
    assert _yields(replace(STATE, waiting=[just], running=running)) == []
    late = replace(WAITING, eligible_at=overdue_at - SOON_SECONDS - 1)
    assert _yields(replace(STATE, waiting=[late], running=running)) == ["long"]


def test_a_job_of_high_priority_gives_way_to_an_overdue_job_after_four_hours() -> None:
    late = replace(WAITING, eligible_at=NOW - 1e6)
    for seconds, found in ((HIGH_SECONDS - 1, []), (HIGH_SECONDS, ["long"])):
        running = [replace(RUNNING, priority=10, started_at=NOW - seconds)]
        assert _yields(replace(STATE, running=running, waiting=[late])) == found
        assert _yields(replace(STATE, running=running)) == [], "not to a job that is not overdue"


def test_a_job_waits_for_a_device_that_frees_soon_instead_of_another_job_giving_way() -> None:
    devices = [DEVICE, replace(DEVICE, id="a/cuda:1")]
    ending = replace(RUNNING, id="ending", devices=("a/cuda:1",), ends_p50=NOW + 30)
    state = replace(STATE, devices=devices, running=[RUNNING, ending])
    assert _yields(state) == []
    second = replace(WAITING, id="short2", owner="cleo")
    assert _yields(replace(state, waiting=[WAITING, second])) == ["long"]


def test_nobody_gives_way_to_a_job_that_another_of_its_order_would_be_given_the_device() -> None:
    """Ada's next job is before Ben's; it would take the device that Ada's running job leaves."""
    hers = replace(WAITING, id="hers", owner="ada", priority=10)
    assert _yields(replace(STATE, waiting=[hers, WAITING])) == []


def test_only_the_job_whose_memory_is_needed_gives_way_on_a_shared_device() -> None:
    small = replace(RUNNING, id="small", memory_mib=TOTAL_MIB / 10)
    large = replace(RUNNING, id="large", memory_mib=TOTAL_MIB * 0.9, started_at=NOW - 2_500)
    waiting = replace(WAITING, memory_mib=TOTAL_MIB / 2)
    policy = replace(POLICY, jobs_per_device=4)
    state = replace(STATE, policy=policy, running=[small, large], waiting=[waiting])
    assert _yields(replace(state, running=[small, large])) == ["large"]


def test_a_switch_that_takes_long_makes_the_quantum_longer() -> None:
    assert quantum_of(POLICY, RUNNING) == POLICY.quantum_seconds
    slow = replace(RUNNING, switch_seconds=500.0)
    assert quantum_of(POLICY, slow) == QUANTUM_OVER_SWITCH * 500.0
    assert quantum_of(POLICY, replace(RUNNING, priority=10)) == HIGH_SECONDS
    assert quantum_of(replace(POLICY, time_sharing="off"), RUNNING) is None


@settings(max_examples=EXAMPLES)
@given(states())
def test_exactly_by_what_yields_the_jobs_that_wait_start(state: State) -> None:
    found = _find(state)
    stopped = {each.job for each in found}
    back = [_waits_again(job, state.now) for job in state.running if job.id in stopped]
    after = state.without_running(stopped)
    after = replace(after, waiting=[*state.waiting, *back])
    started = {entry.job.id for entry in plan(after.box()).starts}
    assert {each.to for each in found} <= started
    assert not {each.to for each in found} & {e.job.id for e in plan(state.box()).starts}
    for each in found:
        victim = next(job for job in state.running if job.id == each.job)
        quantum = quantum_of(state.policy, victim)
        assert quantum is not None
        assert state.now - victim.started_at >= quantum


@settings(max_examples=EXAMPLES)
@given(states())
def test_no_pair_of_jobs_changes_places_twice_within_a_quantum(state: State) -> None:
    """Let the victims wait in place of the jobs to which they gave way, and charge nobody yet."""
    by_id = {job.id: job for job in state.running}
    for found in _find(state):
        victim = by_id[found.job]
        job = next(job for job in state.waiting if job.id == found.to)
        swapped = replace(
            state.without_running({victim.id}).with_started(job, victim.devices[: job.gpus], True),
            waiting=[_waits_again(victim, state.now)],
            now=state.now + POLICY.quantum_of_low_seconds - 1,
        )
        assert job.id not in _yields(swapped)


@settings(max_examples=EXAMPLES)
@given(st.floats(0, 1e6), st.floats(0, 1e6), st.sampled_from([0.5, 1.0, 2.0]))
@example(0.0, 0.0, 1.0)
def test_two_endless_jobs_alternate_no_faster_than_the_quantum_and_share_by_weight(
    used_by_ada: float, used_by_ben: float, weight: float
) -> None:
    """Follow two jobs that never end on one device for two days, with the real charges."""
    ledger = Ledger(NOW, POLICY.half_life_seconds)
    usage = {"ada": used_by_ada, "ben": used_by_ben}
    weights = {"ada": 1.0, "ben": weight}
    owner, since, turns = "ada", NOW, []
    served = dict.fromkeys(usage, NOW)
    seconds = dict.fromkeys(usage, 0.0)
    tick = 300.0
    for at in (NOW + tick * count for count in range(1, int(2 * 86_400 / tick))):
        usage[owner] += ledger.charge(at - tick, at)
        seconds[owner] += tick
        other = "ben" if owner == "ada" else "ada"
        owners = {
            name: Owner(name, weights[name], ledger.decayed(usage[name], at), served[name])
            for name in usage
        }
        running = replace(RUNNING, owner=owner, started_at=since, ends_p50=inf, ends_p90=inf)
        waiting = WaitingJob("waits", other, 0, turns[-1] if turns else NOW)
        if _yields(replace(STATE, now=at, owners=owners, running=[running], waiting=[waiting])):
            turns.append(at)
            owner, since, served[other] = other, at, at
    lengths = [end - begin for begin, end in pairwise([NOW, *turns])]
    assert all(length >= POLICY.quantum_seconds for length in lengths)
    assert len(turns) <= 2 * 86_400 / (1.5 * POLICY.quantum_seconds)
    if used_by_ada == used_by_ben == 0 and weight == 1:
        assert seconds["ada"] == pytest.approx(seconds["ben"], rel=0.15)


def _waits_again(job: RunningJob, now: float) -> WaitingJob:
    p50, p90 = job.ends_p50 - now, job.ends_p90 - now
    gpus, used = len(job.devices), job.utilization
    return WaitingJob(job.id, job.owner, job.priority, now, gpus, job.memory_mib, p50, p90, used)
