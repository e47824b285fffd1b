"""When waiting jobs start: next to others where memory allows it, and on devices of one host."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf

from hypothesis import given, settings

from shared.jobs.planning.box import Device, Policy, RunningJob, WaitingJob
from shared.jobs.planning.forecast import Start, forecast
from shared.jobs.planning.plan import plan
from tests.shared.jobs.planning.boxes import EXAMPLES, NOW, TOTAL_MIB, State, states

HOUR = 3_600.0
PACKED = Policy(jobs_per_device=4)


def _job(number: int, memory_mib: float, *, gpus: int = 1, seconds: float = HOUR) -> WaitingJob:
    return WaitingJob(
        f"job_{number}", "ada", 0, NOW, gpus, memory_mib, seconds, seconds, utilization=0.1
    )


def _starts(
    waiting: Sequence[WaitingJob],
    devices: Sequence[str] = ("a/cuda:0",),
    running: Sequence[RunningJob] = (),
) -> list[float]:
    """Return in how many hours each job starts at p50."""
    used = {name: sum(job.memory_mib for job in running if name in job.devices) for name in devices}
    known = [
        Device(name, name.partition("/")[0], TOTAL_MIB, TOTAL_MIB - used[name]) for name in devices
    ]
    state = State(PACKED, {}, known, list(running), list(waiting))
    found = forecast(state.box(), plan(state.box()))
    return [round((found[job.id].p50 - NOW) / HOUR, 6) for job in waiting]


def test_jobs_that_share_a_device_start_at_the_same_time() -> None:
    jobs = [_job(number, 200.0) for number in range(6)]
    assert _starts(jobs) == [0, 0, 0, 0, 1, 1]


def test_a_job_waits_until_its_memory_is_free() -> None:
    first = RunningJob("job_a", "ben", 0, ("a/cuda:0",), NOW, 300.0, NOW + HOUR, NOW + HOUR, 0.1)
    second = replace(first, id="job_b", ends_p50=NOW + 2 * HOUR, ends_p90=NOW + 2 * HOUR)
    jobs = [_job(1, 600.0), _job(2, 900.0), _job(3, 300.0, seconds=2 * HOUR)]
    assert _starts(jobs, running=[first, second]) == [1, 2, 3]


def test_a_job_without_a_limit_has_its_device_for_itself() -> None:
    last = [_job(number, 100.0, seconds=2 * HOUR) for number in (3, 4)]
    assert _starts([_job(1, 100.0), _job(2, 0.0), *last]) == [0, 1, 2, 2]


def test_a_job_of_several_devices_waits_for_devices_of_one_host() -> None:
    busy = RunningJob("job_a", "ben", 0, ("b/cuda:0",), NOW, 0.0, NOW + HOUR, NOW + HOUR, 0.1)
    names = ("a/cuda:0", "b/cuda:0", "b/cuda:1")
    assert _starts([_job(1, 100.0, gpus=2)], names, [busy]) == [1]
    assert _starts([_job(1, 100.0, gpus=3)], names, [busy]) == [inf]


def test_jobs_after_a_job_of_unknown_length_have_no_start() -> None:
    assert _starts([_job(1, 0.0, seconds=inf), _job(2, 0.0)]) == [0, inf]


def test_a_job_that_never_fits_has_no_start_and_delays_nobody() -> None:
    assert _starts([_job(1, 2 * TOTAL_MIB), _job(2, 100.0)]) == [inf, 0]


@settings(max_examples=EXAMPLES)
@given(states())
def test_what_the_plan_starts_is_predicted_to_start_now(state: State) -> None:
    made = plan(state.box())
    found = forecast(state.box(), made)
    for entry in made.starts:
        assert found[entry.job.id] == Start(NOW, NOW)
    for start in found.values():
        assert NOW <= start.p50 <= start.p90
