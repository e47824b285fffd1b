"""How long a device that failed gets no job, by a clock that the test moves."""

import pytest
from structlog.testing import capture_logs

from tests.fakes.clock import Clock
from worker.dispatch import quarantine
from worker.dispatch.device import Device
from worker.dispatch.quarantine import FIRST_SECONDS, MAX_SECONDS, Quarantine

GPU, OTHER = Device("cuda:0", "A Card", "GPU-0"), Device("cuda:1", "A Card", "GPU-1")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(quarantine, "time", made)
    return made


def _quarantined_seconds(quarantined: Quarantine, clock: Clock) -> float:
    """Return for how many seconds from now on the GPU gets no job."""
    began = clock.now
    while quarantined.contains(GPU):
        clock.now += 1
    return clock.now - began


def test_each_fault_doubles_the_quarantine_up_to_an_hour(clock: Clock) -> None:
    quarantined, seconds = Quarantine(), []
    for _ in range(6):
        quarantined.add(GPU)
        seconds.append(_quarantined_seconds(quarantined, clock))

    assert seconds == [300, 600, 1200, 2400, 3600, 3600]
    assert (FIRST_SECONDS, MAX_SECONDS) == (300, 3600)


def test_a_success_forgets_earlier_faults(clock: Clock) -> None:
    quarantined = Quarantine()
    quarantined.add(GPU)
    quarantined.add(GPU)
    quarantined.release(GPU)
    quarantined.release(OTHER)

    assert not quarantined.contains(GPU)
    quarantined.add(GPU)
    assert _quarantined_seconds(quarantined, clock) == FIRST_SECONDS


@pytest.mark.usefixtures("clock")
def test_other_devices_are_not_affected_and_the_log_names_the_device() -> None:
    quarantined = Quarantine()
    with capture_logs() as lines:
        quarantined.add(GPU)

    assert quarantined.contains(GPU)
    assert not quarantined.contains(OTHER)
    (line,) = lines
    assert (line["log_level"], line["device"], line["uuid"]) == ("error", "cuda:0", "GPU-0")
    assert (line["faults"], line["seconds"]) == (1, FIRST_SECONDS)
