"""Owners who may not start further jobs: their jobs wait behind all others and block nobody."""

from math import inf

from shared.jobs.planning.box import Device, Owner, Policy, WaitingJob
from shared.jobs.planning.plan import plan
from tests.shared.jobs.planning.boxes import NOW, State


def _box(owners: dict[str, Owner], *waiting: WaitingJob, devices: int = 4) -> State:
    names = [f"w/cpu:{number}" for number in range(devices)]
    return State(Policy(), owners, [Device(name, "h") for name in names], [], [*waiting])


def _jobs(owner: str, count: int) -> list[WaitingJob]:
    return [
        WaitingJob(f"job_{owner}{number}", owner, 0, NOW, 1, 0.0, inf) for number in range(count)
    ]


def _reasons(state: State) -> dict[str, str | None]:
    return {entry.job.id: entry.reason for entry in plan(state.box()).entries}


def test_as_many_start_as_their_owner_may_start() -> None:
    owners = {"ada": Owner("ada", max_running=3, startable=2)}
    reasons = _reasons(_box(owners, *_jobs("ada", 4)))
    assert [*reasons.values()] == [None, None, "limit", "limit"]


def test_jobs_of_a_limited_owner_stand_behind_all_others_and_hold_no_device() -> None:
    owners = {"ada": Owner("ada", startable=0, limited_by="disabled"), "ben": Owner("ben", usage=9)}
    # Overdue, first by use, and larger than what is free.
    old = WaitingJob("job_a", "ada", 10, NOW - 1e6, 2)
    made = plan(_box(owners, old, *_jobs("ben", 2), devices=1).box())
    assert [entry.job.id for entry in made.entries] == ["job_ben0", "job_ben1", "job_a"]
    assert made.entries[0].devices == ("w/cpu:0",)
    assert made.entries[-1].reason == "limit"
    assert made.reservation is not None
    assert made.reservation.job.owner == "ben"


def test_a_claim_ends_at_the_first_limited_job() -> None:
    owners = {"ada": Owner("ada", startable=0)}
    assert plan(_box(owners, *_jobs("ada", 50)).box(), until_start=True).entries == []
