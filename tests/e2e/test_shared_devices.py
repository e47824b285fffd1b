"""Four simulated devices on a real box: jobs share them, others take their memory, one fails."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import EmbeddedBox, free_port, wait_until
from tests.e2e.simulated_devices import (
    NAMES,
    RESERVED_MIB,
    TOTAL_MIB,
    device_of,
    wait_for_device,
    write_devices,
)
from trainshed import ApiError, Client

pytestmark = pytest.mark.e2e

FOREIGN_MIB = 3_500
#: Runs until it is cancelled; two of them fit on a device.
LONG: dict[str, Any] = {
    "dataset": "digits",
    "architecture": "linear",
    "training": {"epochs": 10_000, "batch_size": 32},
    "resources": {"gpu_memory_mib": 1_500},
}


class Box:
    """A box and the file of its devices."""

    def __init__(self, embedded: EmbeddedBox, client: Client, path: Path) -> None:
        self.embedded, self.client, self.path = embedded, client, path

    def show(self, *names: str, occupied: tuple[str, ...] = ()) -> None:
        """Write the devices that exist, and on which of them a foreign process runs."""
        write_devices(self.path, names, dict.fromkeys(occupied, FOREIGN_MIB))

    def submit(self, **changes: Any) -> str:
        return self.client.submit({**LONG, **changes})["id"]

    def end(self, *job_ids: str) -> None:
        for job_id in job_ids:
            self.client.cancel(job_id)
        for job_id in job_ids:
            wait_until(lambda job=job_id: self.client.get(job)["state"] == "cancelled", job_id)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    home = tmp_path_factory.mktemp("shared-devices")
    path = home / "devices.json"
    write_devices(path, NAMES)
    settings = {"TRAINSHED_SIMULATED_DEVICES": str(path)}
    embedded = EmbeddedBox(home, free_port(), settings=settings)
    try:
        embedded.start()
        with embedded.client() as client:
            wait_until(lambda: len(client.devices()) == 4, "the devices")
            yield Box(embedded, client, path)
    finally:
        if embedded.process is not None and embedded.process.poll() is None:
            embedded.stop()
        embedded.kill()


def _memory(box: Box, name: str) -> dict[str, float]:
    found = {device["id"].partition("/")[2]: device for device in box.client.devices()}
    return found[name]["memory_mib"]


def test_two_jobs_share_a_device_and_explain_names_what_a_third_lacks(box: Box) -> None:
    box.show(*NAMES, occupied=NAMES[1:])
    wait_until(lambda: _memory(box, "sim:3")["foreign"] == FOREIGN_MIB, "the foreign process")
    first, second = box.submit(), box.submit()
    assert {wait_for_device(box.client, job) for job in (first, second)} == {"sim:0"}
    memory = _memory(box, "sim:0")
    assert (memory["jobs"], memory["free"]) == (3_000, TOTAL_MIB - RESERVED_MIB - 3_000)

    third = box.submit()
    wait_until(lambda: box.client.explain(third).get("reason") == "memory", "the reason")
    summary = box.client.explain(third)["summary"]
    assert "sim:0 has 0.6 of 3.9 GiB free and this job needs 1.5" in summary
    box.show(*NAMES, occupied=NAMES[2:])
    assert wait_for_device(box.client, third) == "sim:1", "the foreign process has left it"

    with pytest.raises(ApiError) as refused:
        box.submit(resources={"gpu_memory_mib": TOTAL_MIB})
    assert f"it must be at most {TOTAL_MIB - RESERVED_MIB}" in str(refused.value)
    box.end(first, second, third)


@pytest.mark.long
def test_a_device_that_disappears_with_two_jobs_gives_them_to_others(box: Box) -> None:
    box.show(*NAMES, occupied=NAMES[1:])
    wait_until(lambda: _memory(box, "sim:3")["foreign"] == FOREIGN_MIB, "the foreign process")
    jobs = [box.submit(), box.submit()]
    assert {wait_for_device(box.client, job) for job in jobs} == {"sim:0"}
    wait_until(lambda: all(box.client.get(job)["progress"] for job in jobs), "their first steps")
    box.show(*NAMES[1:])
    found = set[str]()

    def have_moved() -> bool:
        found.clear()
        found.update(name for job in jobs if (name := device_of(box.client, job)))
        return len(found) == 2 and "sim:0" not in found

    wait_until(have_moved, "two other devices, since empty devices are first")
    for job in jobs:
        assert box.client.get(job)["failure"] is None
    box.end(*jobs)
    box.show(*NAMES)


@pytest.mark.long
def test_empty_devices_are_first_and_a_wrong_file_changes_nothing(box: Box) -> None:
    box.show(*NAMES[1:])
    jobs = [box.submit() for _ in range(3)]
    assert {wait_for_device(box.client, job) for job in jobs} == set(NAMES[1:])
    box.path.write_text("{")
    fourth = box.submit()
    assert wait_for_device(box.client, fourth) in NAMES[1:]
    log = box.embedded.home / "logs" / "worker.log"
    wait_until(lambda: "simulated devices stay as they were" in log.read_text(), "the log")
    box.end(*jobs, fourth)
