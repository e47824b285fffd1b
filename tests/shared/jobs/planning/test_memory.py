"""The memory that further jobs may use on a device: formulas, and mistakes of other schedulers."""

from dataclasses import replace
from typing import Any

import pytest

from shared.jobs.planning.box import Device, Policy, RunningJob, WaitingJob
from shared.jobs.planning.memory import RESERVE_MIB, measured, reserve_mib
from shared.jobs.planning.plan import plan
from tests.shared.jobs.planning.boxes import NOW, State

TOTAL = 40_000.0


def _device(free_mib: float, **values: Any) -> Device:
    return Device("a/cuda:0", "a", TOTAL, free_mib, has_reading=True, **values)


def _job(name: str, cap: float, used: float) -> RunningJob:
    devices = ("a/cuda:0",)
    return RunningJob(name, "ada", 0, devices, NOW - 600, cap, utilization=0.2, used_mib=used)


def test_a_job_counts_with_its_limit_before_it_has_grown() -> None:
    found = measured(_device(TOTAL - 1_000), [_job("one", 5_000, 1_000)])
    assert (found.free_mib, found.foreign_mib) == (TOTAL - 5_000 - RESERVE_MIB, 0)


def test_a_job_above_its_limit_hides_no_other_jobs_limit() -> None:
    """A sum over all jobs of limits minus use would leave 2,000 MiB out."""
    jobs = [_job("above", 3_000, 5_000), _job("below", 4_000, 1_000)]
    found = measured(_device(TOTAL - 6_000), jobs)
    assert found.free_mib == TOTAL - 6_000 - 3_000 - RESERVE_MIB


def test_foreign_memory_counts_once() -> None:
    found = measured(_device(TOTAL - 10_000 - 2_000), [_job("one", 2_000, 2_000)])
    assert found.foreign_mib == 10_000
    assert found.free_mib == TOTAL - 12_000 - RESERVE_MIB


def test_without_a_reading_only_our_limits_are_known() -> None:
    device = replace(_device(TOTAL), has_reading=False)
    found = measured(device, [_job("one", 3_000, 5_000)])
    assert found.free_mib == TOTAL - 3_000 - RESERVE_MIB


def test_a_cpu_slot_is_not_limited_by_memory() -> None:
    slot = Device("a/cpu:0", "a")
    assert measured(slot, []) is slot


@pytest.mark.parametrize(("total", "reserve"), [(1_000, 100), (5_120, 512), (80_000, 512)])
def test_little_memory_reserves_little(total: float, reserve: float) -> None:
    assert reserve_mib(total) == reserve


def _starts(device: Device, *running: RunningJob, memory_mib: float = 1_000) -> bool:
    job = WaitingJob("new", "ben", 0, NOW, memory_mib=memory_mib, utilization=0.5)
    state = State(Policy(jobs_per_device=4), {}, [device], list(running), [job])
    return bool(list(plan(state.box()).starts))


def test_utilization_is_measured_once_the_jobs_have_run_for_a_while() -> None:
    running = [_job("one", 2_000, 2_000), _job("two", 2_000, 2_000)]
    assert _starts(_device(30_000), *running), "0.2 + 0.2 + 0.5 as predicted"
    assert not _starts(_device(30_000, utilization=0.6), *running)
    assert _starts(_device(30_000, utilization=0.5), *running)
    young = [replace(job, started_at=NOW - 10) for job in running]
    assert not _starts(_device(30_000, utilization=0.2), *young), "the measurement lacks them"
    at_once = _device(30_000, utilization=0.2, utilization_seconds=0.0)
    assert _starts(at_once, *young)


def test_a_job_whose_memory_is_not_limited_has_its_device_for_itself() -> None:
    unlimited = _job("one", 0, 2_000)
    assert not _starts(_device(30_000), unlimited)
    assert not _starts(_device(30_000), _job("one", 2_000, 2_000), memory_mib=0)
    assert _starts(_device(30_000), memory_mib=0)


def test_cpu_slots_get_one_job_each() -> None:
    running = replace(_job("one", 10, 0), devices=("a/cpu:0",))
    assert not _starts(Device("a/cpu:0", "a"), running, memory_mib=10)
