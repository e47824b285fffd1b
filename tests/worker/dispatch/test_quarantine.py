"""For how long a device that failed gets no job, by a clock that the test moves."""

import pytest
from structlog.testing import capture_logs

from tests.worker.clocks import Clock
from worker.dispatch import quarantine
from worker.dispatch.devices import Device
from worker.dispatch.quarantine import FIRST_SECONDS, MAX_SECONDS, Quarantine

GPU, OTHER = Device("cuda:0", "A Card", "GPU-0"), Device("cuda:1", "A Card", "GPU-1")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(quarantine, "time", made)
    return made


def _left_out_seconds(held: Quarantine, clock: Clock) -> float:
    """How long the device stays out from now on, by steps of a second."""
    began = clock.now
    while held.contains(GPU):
        clock.now += 1
    return clock.now - began


def test_each_fault_keeps_a_device_out_twice_as_long_up_to_an_hour(clock: Clock) -> None:
    held, seconds = Quarantine(), []
    for _ in range(6):
        held.add(GPU)
        seconds.append(_left_out_seconds(held, clock))

    assert seconds == [300, 600, 1200, 2400, 3600, 3600]
    assert (FIRST_SECONDS, MAX_SECONDS) == (300, 3600)


def test_a_job_that_ends_well_there_lets_it_start_from_the_beginning(clock: Clock) -> None:
    held = Quarantine()
    held.add(GPU)
    held.add(GPU)
    held.release(GPU)
    held.release(OTHER)

    assert not held.contains(GPU)
    held.add(GPU)
    assert _left_out_seconds(held, clock) == FIRST_SECONDS


@pytest.mark.usefixtures("clock")
def test_another_device_goes_on_and_the_log_says_which_failed() -> None:
    held = Quarantine()
    with capture_logs() as told:
        held.add(GPU)

    assert held.contains(GPU)
    assert not held.contains(OTHER)
    (line,) = told
    assert (line["log_level"], line["device"], line["uuid"]) == ("error", "cuda:0", "GPU-0")
    assert (line["faults"], line["seconds"]) == (1, FIRST_SECONDS)
