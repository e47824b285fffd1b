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
from worker.dispatch import devices
from worker.dispatch.devices import Device, NoUsableGpu, find

SETTINGS = Settings(cpu_slots=2, threads=3)
CPU = [Device("cpu:0", "CPU, 3 threads"), Device("cpu:1", "CPU, 3 threads")]


class Nvml:
    """A machine with GPUs of 24 GiB, as the driver's library tells of them.

    Args:
        gpus: how many.
        fault: what the library ends with when it is opened, an error code.
        lost: those that do not answer.
    """

    NVMLError = pynvml.NVMLError

    def __init__(self, gpus: int, *, fault: int | None = None, lost: tuple[int, ...] = ()) -> None:
        self.gpus = gpus
        self.fault = fault
        self.lost = lost
        self.is_open = False

    def nvmlInit(self) -> None:
        if self.fault is not None:
            raise pynvml.NVMLError(self.fault)
        self.is_open = True

    def nvmlShutdown(self) -> None:
        self.is_open = False

    def nvmlDeviceGetCount(self) -> int:
        return self.gpus

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        if index in self.lost:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return index

    def nvmlDeviceGetMemoryInfo(self, _: int) -> Any:
        return SimpleNamespace(total=24 * 2**30)

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return f"GPU-{handle}a0b-ee"

    def nvmlDeviceGetName(self, _: int) -> str:
        return "A Card"


class OfTheMachine(Nvml):
    """GPUs without memory of their own."""

    def nvmlDeviceGetMemoryInfo(self, _: int) -> Any:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)


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
    assert found == [Device(f"cuda:{i}", "A Card", f"GPU-{i}a0b-ee", 24 * 1024) for i in range(3)]
    assert all(device.is_gpu for device in found)
    assert not machine.is_open, "the library was left open"


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("1", ["cuda:1"]),
        ("2,0", ["cuda:0", "cuda:2"]),
        ("0, GPU-2a0b-ee", ["cuda:0", "cuda:2"]),
        ("GPU-1a0b", ["cuda:1"]),
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


@pytest.mark.parametrize("visible", ["7", "GPU-9", "MIG-GPU-0a0b-ee/1/0", "NoDevFiles"])
@pytest.mark.usefixtures("machine")
def test_a_name_that_no_gpu_has_is_refused_and_the_message_lists_them(
    visible: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(NoUsableGpu) as refused:
        find(SETTINGS)
    message = str(refused.value)
    assert visible in message
    assert "cuda:1 (GPU-1a0b-ee)" in message
    assert 'CUDA_VISIBLE_DEVICES=""' in message


@pytest.mark.usefixtures("machine")
def test_of_several_names_one_that_no_gpu_has_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,7")
    with capture_logs() as told:
        assert [device.name for device in find(SETTINGS)] == ["cuda:1"]
    assert [line["named"] for line in told] == [["7"]]


def test_a_gpu_that_does_not_answer_is_left_out_and_the_others_keep_their_numbers(
    machine: Nvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.lost = (1,)
    with capture_logs() as told:
        assert [device.name for device in find(SETTINGS)] == ["cuda:0", "cuda:2"]
    assert [line["gpu"] for line in told] == ["cuda:1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    assert [device.uuid for device in find(SETTINGS)] == ["GPU-2a0b-ee"]
    assert not machine.is_open, "the library was left open"


def test_where_no_gpu_answers_nothing_is_trained_on_the_cpu_instead(machine: Nvml) -> None:
    machine.lost = (0, 1, 2)
    with pytest.raises(NoUsableGpu, match="none of the 3 GPUs"):
        find(SETTINGS)


@pytest.mark.usefixtures("machine")
def test_a_gpu_without_memory_of_its_own_is_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "pynvml", OfTheMachine(gpus=1))
    assert find(SETTINGS) == [Device("cuda:0", "A Card", "GPU-0a0b-ee", 0)]


@pytest.mark.parametrize(
    "fault",
    [
        pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH,
        pynvml.NVML_ERROR_NO_PERMISSION,
        pynvml.NVML_ERROR_UNKNOWN,
    ],
)
def test_a_driver_that_does_not_answer_ends_the_worker_and_says_what_to_do(
    fault: int, machine: Nvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.fault = fault
    with pytest.raises(NoUsableGpu) as refused:
        find(SETTINGS)
    message = str(refused.value)
    assert str(pynvml.NVMLError(fault)) in message
    assert "Reboot or load the driver anew" in message
    assert 'CUDA_VISIBLE_DEVICES=""' in message

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert find(SETTINGS) == CPU, "what the message says does not help"


def test_a_torch_for_the_cpu_alone_needs_no_driver_that_answers(
    machine: Nvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.fault = pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH
    monkeypatch.setattr(devices, "_torch_has_cuda", lambda: False)
    assert find(SETTINGS) == CPU


@pytest.mark.parametrize(
    "nvml",
    [
        Nvml(gpus=0, fault=pynvml.NVML_ERROR_LIBRARY_NOT_FOUND),
        Nvml(gpus=0, fault=pynvml.NVML_ERROR_DRIVER_NOT_LOADED),
        Nvml(gpus=0, fault=pynvml.NVML_ERROR_GPU_NOT_FOUND),
        Nvml(gpus=0),
    ],
    ids=["library", "driver", "GPU found", "GPU"],
)
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
        "import sys; from worker.dispatch import devices; has = devices._torch_has_cuda();"
        "assert 'torch' not in sys.modules;"
        "import torch; assert has == (torch.version.cuda is not None)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
