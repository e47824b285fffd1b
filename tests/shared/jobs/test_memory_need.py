"""The memory that is planned for a job, from what it is predicted to allocate."""

import pytest

from shared.jobs.estimates.memory import MemoryNeed
from shared.jobs.memory_need import CONTEXT_MIB, RESIDENT_SHARE, planned_mib

COLD = MemoryNeed(2_000.0, "cold", 0, least_mib=1_000.0)


def test_a_new_kind_gets_context_network_and_images() -> None:
    expected = CONTEXT_MIB + 2_000 + 880 / RESIDENT_SHARE
    assert planned_mib(COLD, 880.0, largest_mib=80_000.0) == expected == 3_600


def test_a_known_kind_gets_what_it_took_with_room_for_its_images() -> None:
    seen = MemoryNeed(880.0, "seen", 5, least_mib=800.0)
    assert planned_mib(seen, 500.0, largest_mib=80_000.0) == CONTEXT_MIB + 1_000


@pytest.mark.parametrize(
    ("largest", "planned"),
    [
        (2_500.0, 2_500.0),  # only the margins are too much
        (2_300.0, 2_300.0),  # the images stay outside
        (1_500.0, CONTEXT_MIB + 2_000),  # the network itself is too large
    ],
)
def test_a_prediction_above_the_largest_device_is_cut_if_the_job_may_fit(
    largest: float, planned: float
) -> None:
    assert planned_mib(COLD, 800.0, largest_mib=largest) == planned
