"""Which running jobs give way."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from shared.jobs.planning.box import Device, Owner, Policy, RunningJob, WaitingJob
from shared.jobs.planning.plan import plan
from tests.shared.jobs.planning.boxes import EXAMPLES, NOW, TOTAL_MIB, State, states

POLICY = Policy(time_sharing="exact")
DEVICE = Device("a/cuda:0", "a", TOTAL_MIB, 0.0)
RUNNING = RunningJob(
    "long", "ada", 0, ("a/cuda:0",), NOW - 2_000, TOTAL_MIB, NOW + 5_000, NOW + 9_000
)
WAITING = WaitingJob("short", "ben", 0, NOW - 10, seconds_p50=60.0, seconds_p90=90.0)
OWNERS = {"ada": Owner("ada", usage=2_000.0), "ben": Owner("ben")}
STATE = State(POLICY, OWNERS, [DEVICE], [RUNNING], [WAITING])


def _yields(state: State) -> list[str]:
    return [found.job for found in plan(state.box()).yields]


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


@settings(max_examples=EXAMPLES)
@given(states())
def test_what_yields_makes_room_for_the_job_that_waits(state: State) -> None:
    made = plan(state.box())
    for to in {found.to for found in made.yields}:
        stopped = {found.job for found in made.yields}
        job = next(job for job in state.waiting if job.id == to)
        alone = replace(state.without_running(stopped), waiting=[job])
        assert [entry.job.id for entry in plan(alone.box()).starts] == [to]


@settings(max_examples=EXAMPLES)
@given(states())
def test_no_pair_of_jobs_changes_places_twice_within_a_quantum(state: State) -> None:
    """Let the victims wait in place of the jobs to which they gave way, and charge nobody yet."""
    made = plan(state.box())
    by_id = {job.id: job for job in state.running}
    for found in made.yields:
        victim = by_id[found.job]
        job = next(job for job in state.waiting if job.id == found.to)
        back = WaitingJob(victim.id, victim.owner, victim.priority, state.now)
        swapped = replace(
            state.without_running({victim.id}).with_started(job, victim.devices[: job.gpus], True),
            waiting=[back],
            now=state.now + POLICY.quantum_of_low_seconds - 1,
        )
        assert job.id not in _yields(swapped)
