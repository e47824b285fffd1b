"""Properties of the plan on random boxes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.jobs.planning.box import Device, Owner, Policy, Rank, RunningJob, WaitingJob
from shared.jobs.planning.plan import Plan, plan
from shared.jobs.planning.yielding import find_yields
from tests.shared.jobs.planning.boxes import EXAMPLES, NOW, TOTAL_MIB, State, states


def _starts(made: Plan) -> list[tuple[str, tuple[str, ...] | None]]:
    return [(entry.job.id, entry.devices) for entry in made.starts]


def _after(state: State, made: Plan) -> State:
    for entry in made.starts:
        state = state.with_started(entry.job, entry.devices or (), entry.place.is_head)
    return state


@settings(max_examples=EXAMPLES)
@given(states(), st.randoms(use_true_random=False))
def test_the_plan_is_the_same_for_every_order_of_rows(state: State, random: Random) -> None:
    shuffled = replace(
        state,
        running=random.sample(state.running, len(state.running)),
        devices=random.sample(state.devices, len(state.devices)),
        waiting=random.sample(state.waiting, len(state.waiting)),
    )
    first, second = plan(state.box()), plan(shuffled.box())
    assert first.entries == second.entries
    assert first.reservation == second.reservation
    yields = [find_yields(each.box(), plan(each.box())) for each in (state, shuffled)]
    assert yields[0] == yields[1]


@settings(max_examples=EXAMPLES)
@given(states())
def test_no_device_is_filled_beyond_its_memory_slots_or_utilization(state: State) -> None:
    before = {device.id: device.free_mib for device in state.devices}
    after = _after(state, plan(state.box()))
    jobs = Counter(name for job in after.running for name in job.devices)
    for device in after.devices:
        on_it = [job for job in after.running if device.id in job.devices]
        started = [job for job in on_it if job not in state.running]
        if started:
            assert device.closed is None
            assert device.free_mib >= 0 or before[device.id] < 0
            assert jobs[device.id] <= state.policy.jobs_per_device
            assert len(on_it) == 1 or sum(job.utilization for job in on_it) <= 1 + 1e-9
            assert len(on_it) == 1 or all(len(job.devices) == 1 for job in on_it)


@settings(max_examples=EXAMPLES)
@given(states())
def test_a_job_of_several_devices_gets_empty_devices_of_one_host(state: State) -> None:
    busy = {name for job in state.running for name in job.devices}
    for entry in plan(state.box()).starts:
        names = entry.devices or ()
        assert len(set(names)) == entry.job.gpus
        if entry.job.gpus > 1:
            assert len({name.partition("/")[0] for name in names}) == 1
            assert not busy & set(names)


@settings(max_examples=EXAMPLES)
@given(states())
def test_nothing_waits_that_fits_on_a_device_that_is_not_held(state: State) -> None:
    made = plan(state.box())
    after = _after(state, made)
    held = set(made.reservation.devices if made.reservation else ())
    busy = {name for job in after.running for name in job.devices}
    for entry in made.entries:
        if entry.devices is None and entry.job.gpus == 1:
            assert not [
                device
                for device in after.devices
                if device.closed is None
                and device.id not in held | busy
                and device.free_mib >= entry.job.memory_mib
            ]


@settings(max_examples=EXAMPLES)
@given(states())
def test_the_queue_shows_the_jobs_in_the_order_in_which_they_are_claimed(state: State) -> None:
    """Carry out one start at a time, with a new plan after each, as dispatchers do."""
    shown = _starts(plan(state.box()))
    claimed = []
    while (entry := next(plan(state.box(), until_start=True).starts, None)) is not None:
        claimed.append((entry.job.id, entry.devices))
        state = state.with_started(entry.job, entry.devices or (), entry.place.is_head)
    assert claimed == shown


@settings(max_examples=EXAMPLES)
@given(states())
def test_a_later_job_never_delays_the_job_for_which_devices_are_held(state: State) -> None:
    """With exact times: what starts on held devices ends by the time of the reservation."""
    made = plan(state.box())
    if made.reservation is None:
        return
    stuck = [entry.job for entry in made.entries].index(made.reservation.job)
    held = set(made.reservation.devices)
    later = [entry for entry in made.entries[stuck + 1 :] if held & set(entry.devices or ())]
    if made.entries[stuck].place.rank is Rank.OVERDUE:
        assert later == []
    for entry in later:
        assert entry.is_backfilled
        assert isfinite(entry.job.seconds_p90)
        assert state.now + entry.job.seconds_p90 <= made.reservation.at


@settings(max_examples=EXAMPLES)
@given(states())
def test_every_job_that_waits_has_a_reason(state: State) -> None:
    for entry in plan(state.box()).entries:
        assert (entry.reason is None) == (entry.devices is not None)


def _waiting(name: str, **values: Any) -> WaitingJob:
    return WaitingJob(name, "ada", 0, NOW, **values)


def _box(
    devices: list[Device],
    waiting: list[WaitingJob],
    running: Sequence[RunningJob] = (),
    **policy: Any,
) -> State:
    owners = {"ada": Owner("ada"), "ben": Owner("ben")}
    return State(Policy(**policy), owners, devices, list(running), waiting)


def _reasons(state: State) -> list[str | None]:
    return [entry.reason for entry in plan(state.box()).entries]


def test_reasons_name_what_has_to_change() -> None:
    free = Device("a/cuda:0", "a", TOTAL_MIB, TOTAL_MIB)
    foreign = replace(free, free_mib=100.0, foreign_mib=900.0)
    busy = RunningJob("r", "ben", 0, ("a/cuda:0",), NOW - 10, 900.0)
    full = replace(free, free_mib=100.0)
    job = _waiting("j", memory_mib=500.0)
    assert _reasons(_box([], [job])) == ["no_worker"]
    assert _reasons(_box([replace(free, closed="away")], [job])) == ["no_worker"]
    assert _reasons(_box([replace(free, closed="quarantined")], [job])) == ["quarantined"]
    assert _reasons(_box([replace(free, closed="draining")], [job])) == ["draining"]
    assert _reasons(_box([free], [replace(job, gpus=2)])) == ["devices"]
    assert _reasons(_box([free], [replace(job, memory_mib=5_000.0)])) == ["memory"]
    assert _reasons(_box([foreign], [job])) == ["foreign_process"]
    two = [job, replace(job, id="k")]
    assert _reasons(_box([full], two, [busy])) == ["devices", "order"]
    assert _reasons(_box([full], two, [busy], jobs_per_device=4)) == ["memory", "order"]


def test_the_emptiest_device_is_first_and_then_the_fullest_that_suffices() -> None:
    devices = [Device(f"a/cuda:{n}", "a", TOTAL_MIB, TOTAL_MIB) for n in range(3)]
    jobs = [
        _waiting(f"{n}", memory_mib=mib, utilization=0.2)
        for n, mib in enumerate([300, 200, 100, 700])
    ]
    made = plan(_box(devices, jobs, jobs_per_device=4).box())
    assert [entry.devices for entry in made.entries] == [
        ("a/cuda:0",),
        ("a/cuda:1",),
        ("a/cuda:2",),
        ("a/cuda:0",),
    ]


def test_no_job_shares_with_a_job_of_several_devices() -> None:
    devices = [Device(f"a/cuda:{n}", "a", TOTAL_MIB, TOTAL_MIB) for n in range(2)]
    wide = _waiting("1", gpus=2, memory_mib=10, utilization=0.1)
    small = _waiting("2", memory_mib=10, utilization=0.1)
    state = _box(devices, [wide, small], jobs_per_device=4)
    assert _reasons(state) == [None, "order"]
    state = state.with_started(wide, ("a/cuda:0", "a/cuda:1"), True)
    assert _reasons(state) == ["devices"]


def test_a_job_starts_behind_hundreds_that_fit_no_device() -> None:
    free = Device("a/cuda:0", "a", TOTAL_MIB, TOTAL_MIB)
    too_large = [_waiting(f"{n:03}", memory_mib=2 * TOTAL_MIB) for n in range(300)]
    made = plan(_box([free], [*too_large, _waiting("999", memory_mib=1.0)]).box(), until_start=True)
    assert [entry.job.id for entry in made.starts] == ["999"]
