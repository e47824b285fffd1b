"""Simulated devices: what a file may say, and how it is read again while the worker runs."""

import json
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.settings import Settings
from worker.dispatch.device import Device, Process, Reading
from worker.dispatch.devices import find
from worker.dispatch.inventory import open_inventory
from worker.dispatch.nvml import NoUsableGpu
from worker.dispatch.occupancy import Occupancy
from worker.dispatch.quarantine import Quarantine

LARGE = {"name": "sim:0", "memory_mib": 24_000}
SMALL = {"name": "sim:1", "memory_mib": 8_000, "model": "Small"}


def _write(home: Path, *devices: dict[str, Any]) -> Settings:
    path = home / "devices.json"
    path.write_text(json.dumps({"devices": devices}))
    return Settings(home=home, simulated_devices=str(path))


def test_the_devices_of_the_file_take_the_place_of_all_others(tmp_path: Path) -> None:
    found = find(_write(tmp_path, LARGE, SMALL))
    assert found == [
        Device("sim:0", "Simulated GPU", "", 24_000, is_simulated=True),
        Device("sim:1", "Small", "", 8_000, is_simulated=True),
    ]
    assert all(device.has_own_memory and not device.is_gpu for device in found)


def test_the_file_is_read_again(tmp_path: Path) -> None:
    settings = _write(tmp_path, LARGE, SMALL)
    devices, inventory = find(settings), open_inventory(settings)
    assert inventory.read(devices) == {"sim:0": Reading(24_000), "sim:1": Reading(8_000)}
    foreign = {"pid": 42, "memory_mib": 9_000}
    _write(tmp_path, LARGE | {"foreign": [foreign], "utilization_fraction": 0.5})
    assert inventory.read(devices) == {
        "sim:0": Reading(15_000, (Process(42, 9_000),), 0.5),
        "sim:1": None,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("{", "is no JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "the whole is []; it must be an object"),
        ("{}", "/devices is missing"),
        ('{"devices": []}', "/devices is []; it must not be empty"),
        ('{"devices": [{"name": "sim:0"}]}', "/devices/0/memory_mib is missing"),
        ('{"devices": [{"name": "a/b", "memory_mib": 1}]}', '/devices/0/name is "a/b"; it must'),
        (
            '{"devices": [{"name": "sim:0", "memory_mib": 0}]}',
            "/devices/0/memory_mib is 0; it must be at least 1",
        ),
        (
            '{"devices": [{"name": "sim:0", "memory_mib": "24 GB"}]}',
            '/devices/0/memory_mib is "24 GB"; it must be a whole number',
        ),
        ('{"devices": [{"name": "sim:0", "memory_mib": NaN}]}', "/devices/0/memory_mib is NaN"),
        (
            '{"devices": [{"name": "sim:0", "memory_mib": 1, "x": 1}]}',
            "/devices/0/x is not a field",
        ),
        (json.dumps({"devices": [LARGE, LARGE]}), "sim:0 is there twice"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(
    tmp_path: Path, text: str | None, message: str
) -> None:
    path = tmp_path / "devices.json"
    if text is not None:
        path.write_text(text)
    settings = Settings(home=tmp_path, simulated_devices=str(path))
    with pytest.raises(NoUsableGpu) as refused:
        find(settings)
    assert message in str(refused.value)
    assert f"TRAINSHED_SIMULATED_DEVICES is {path}" in str(refused.value)


def test_while_the_file_is_wrong_the_devices_stay_and_the_log_says_so_once(tmp_path: Path) -> None:
    settings = _write(tmp_path, LARGE)
    devices, inventory = find(settings), open_inventory(settings)
    (tmp_path / "devices.json").write_text("{")
    with capture_logs() as lines:
        for _ in range(3):
            assert inventory.read(devices) == {"sim:0": Reading(24_000)}
    assert [line["log_level"] for line in lines] == ["error"]
    _write(tmp_path, LARGE | {"memory_mib": 1_000})
    assert inventory.read(devices) == {"sim:0": Reading(1_000)}


def test_a_device_that_is_gone_is_closed_at_once_and_lost_at_the_second_reading(
    tmp_path: Path,
) -> None:
    settings = _write(tmp_path, LARGE, SMALL)
    settings.make_directories()
    devices = find(settings)
    occupancy = Occupancy(settings, devices, open_inventory(settings), Quarantine(), 4)
    occupancy.read()
    assert [occupancy.state(device) for device in devices] == [None, None]
    _write(tmp_path, LARGE)
    occupancy.read()
    assert (occupancy.state(devices[1]), occupancy.is_lost(devices[1])) == ("away", False)
    occupancy.read()
    assert occupancy.is_lost(devices[1])
    assert occupancy.usable() == devices[:1]
    _write(tmp_path, LARGE, SMALL)
    occupancy.read()
    assert occupancy.usable() == devices


def test_the_report_has_memory_and_foreign_processes(tmp_path: Path) -> None:
    foreign = [{"pid": pid, "memory_mib": 100.0} for pid in (42, 43)]
    settings = _write(tmp_path, LARGE | {"foreign": foreign, "utilization_fraction": 0.5})
    occupancy = Occupancy(settings, find(settings), open_inventory(settings), Quarantine(), 4)
    occupancy.read()
    (device,) = occupancy.report({43})
    assert device["foreign"] == [{"pid": 42, "memory_mib": 100.0}]
    assert (device["free_mib"], device["utilization_fraction"]) == (23_800, 0.5)
