"""A job continues its checkpoint on the model of GPU that it ran on, unless it may be inexact."""

from dataclasses import replace

import pytest

from shared.jobs.planning.box import Box, Device, Policy, RunningJob, WaitingJob
from shared.jobs.planning.exactness import INEXACT_SECONDS, MISSING_SECONDS
from shared.jobs.planning.forecast import forecast
from shared.jobs.planning.plan import Entry, Plan, plan
from tests.shared.jobs.planning.boxes import NOW

JOB = WaitingJob("job_1", "ada", 0, NOW - 2, memory_mib=100.0, placement="A100")


def _device(name: str, model: str, **values: object) -> Device:
    return replace(Device(f"w/{name}", "h", 1_000.0, 1_000.0, model=model), **values)  # pyright: ignore[reportArgumentType]


def _plan(job: WaitingJob, *devices: Device, running: tuple[RunningJob, ...] = ()) -> Plan:
    return plan(_box(job, *devices, running=running))


def _box(job: WaitingJob, *devices: Device, running: tuple[RunningJob, ...] = ()) -> Box:
    return Box(NOW, Policy(), {}, devices, running, {"ada": iter([job])})


def _entry(job: WaitingJob, *devices: Device, running: tuple[RunningJob, ...] = ()) -> Entry:
    (entry,) = _plan(job, *devices, running=running).entries
    return entry


def _waiting(seconds: float, *, allow_inexact: bool = False) -> WaitingJob:
    return replace(JOB, eligible_at=NOW - seconds, allow_inexact=allow_inexact)


T4, A100 = _device("cuda:0", "T4"), _device("cuda:1", "A100")
OTHER = RunningJob("job_0", "ben", 0, (A100.id,), NOW - 9)


def test_it_starts_on_its_model_even_where_a_smaller_device_is_free() -> None:
    assert _entry(JOB, replace(T4, total_mib=500.0, free_mib=500.0), A100).devices == (A100.id,)


def test_a_job_without_a_checkpoint_starts_anywhere() -> None:
    assert _entry(replace(JOB, placement=""), T4).devices == (T4.id,)


def test_it_waits_for_a_busy_device_of_its_model() -> None:
    entry = _entry(_waiting(10 * INEXACT_SECONDS), T4, A100, running=(OTHER,))
    assert (entry.devices, entry.reason) == (None, "devices")


@pytest.mark.parametrize(
    ("waited", "reason"), [(MISSING_SECONDS - 1, "devices"), (MISSING_SECONDS, "placement")]
)
def test_a_model_that_no_device_has_is_the_reason_after_a_minute(
    waited: float, reason: str
) -> None:
    away = replace(A100, closed="away")
    entry = _entry(_waiting(waited), T4, away)
    assert (entry.devices, entry.reason) == (None, reason)


@pytest.mark.parametrize(
    ("waited", "devices"), [(MISSING_SECONDS - 1, None), (MISSING_SECONDS, (T4.id,))]
)
def test_a_job_that_may_be_inexact_starts_elsewhere_once_its_model_is_missing(
    waited: float, devices: tuple[str, ...] | None
) -> None:
    assert _entry(_waiting(waited, allow_inexact=True), T4).devices == devices


@pytest.mark.parametrize(
    ("waited", "devices"), [(INEXACT_SECONDS - 1, None), (INEXACT_SECONDS, (T4.id,))]
)
def test_a_job_that_may_be_inexact_waits_an_hour_for_its_model(
    waited: float, devices: tuple[str, ...] | None
) -> None:
    entry = _entry(_waiting(waited, allow_inexact=True), T4, A100, running=(OTHER,))
    assert entry.devices == devices


def test_it_holds_no_device_of_another_model_and_is_not_predicted_there() -> None:
    job = _waiting(2 * MISSING_SECONDS)
    box = _box(job, T4)
    made = plan(box)
    assert made.reservation is None
    assert forecast(box, made)[job.id].p50 == float("inf")


def test_every_device_of_a_job_of_several_has_its_model() -> None:
    several = replace(JOB, gpus=2)
    assert _entry(several, T4, A100).devices is None
    pair = (A100, _device("cuda:2", "A100"))
    assert _entry(several, T4, *pair).devices == tuple(device.id for device in pair)
