"""Which devices there are, with a stand-in for the driver's library."""
# ruff: noqa: N802 - the names are the driver's

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest
from structlog.testing import capture_logs

from shared.settings import Settings
from worker import devices
from worker.devices import Device, find

SETTINGS = Settings(cpu_slots=2, threads=3)
CPU = [Device("cpu:0", "CPU, 3 threads"), Device("cpu:1", "CPU, 3 threads")]


class Nvml:
    """A machine with GPUs of 24 GiB, as the driver's library tells of them."""

    NVMLError = pynvml.NVMLError

    def __init__(self, gpus: int) -> None:
        self.gpus = gpus
        self.is_open = False

    def nvmlInit(self) -> None:
        self.is_open = True

    def nvmlShutdown(self) -> None:
        self.is_open = False

    def nvmlDeviceGetCount(self) -> int:
        return self.gpus

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetMemoryInfo(self, _: int) -> Any:
        return SimpleNamespace(total=24 * 2**30)

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return f"GPU-{handle}"

    def nvmlDeviceGetName(self, _: int) -> str:
        return "A Card"


class NoDriver(Nvml):
    """A machine without one."""

    def nvmlInit(self) -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Nvml:
    """Three GPUs, and a torch that can use them."""
    nvml = Nvml(gpus=3)
    monkeypatch.setattr(devices, "pynvml", nvml)
    monkeypatch.setattr(devices, "_torch_has_cuda", lambda: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return nvml


def test_every_gpu_is_a_device(machine: Nvml) -> None:
    found = find(SETTINGS)
    assert found == [Device(f"cuda:{i}", "A Card", f"GPU-{i}", 24 * 1024) for i in range(3)]
    assert all(device.is_gpu for device in found)
    assert not machine.is_open, "the library was left open"


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("1", ["cuda:1"]),
        ("0, GPU-2", ["cuda:0", "cuda:2"]),
        ("GPU-1", ["cuda:1"]),
    ],
)
@pytest.mark.usefixtures("machine")
def test_what_cuda_does_not_see_is_no_device(
    visible: str, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [device.name for device in find(SETTINGS)] == names


@pytest.mark.parametrize("visible", ["", "-1"])
@pytest.mark.usefixtures("machine")
def test_where_cuda_sees_none_there_is_the_cpu(
    visible: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert find(SETTINGS) == CPU


@pytest.mark.parametrize("nvml", [NoDriver(gpus=0), Nvml(gpus=0)], ids=["driver", "GPU"])
@pytest.mark.usefixtures("machine")
def test_without_one_there_are_the_slots_of_the_cpu(
    nvml: Nvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "pynvml", nvml)
    with capture_logs() as told:
        assert find(SETTINGS) == CPU
    assert not told
    assert not any(device.is_gpu for device in CPU)


@pytest.mark.usefixtures("machine")
def test_with_a_torch_for_the_cpu_alone_gpus_are_left_unused_and_the_log_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "_torch_has_cuda", lambda: False)
    with capture_logs() as told:
        assert find(SETTINGS) == CPU
    (line,) = told
    assert (line["log_level"], line["gpus"]) == ("warning", ["A Card"] * 3)
    assert "built for the CPU alone" in line["why"]


def test_what_torch_was_built_for_is_known_without_importing_it() -> None:
    code = (
        "import sys; from worker import devices; has = devices._torch_has_cuda();"
        "assert 'torch' not in sys.modules;"
        "import torch; assert has == (torch.version.cuda is not None)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
