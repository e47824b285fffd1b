"""Which devices a worker finds, with a fake of the driver's library."""

import subprocess
import sys
from pathlib import Path

import pynvml
import pytest
from structlog.testing import capture_logs

from shared.settings import Settings
from tests.fakes.nvml import FakeNvml, FakeNvmlWithSharedMemory
from worker.dispatch import devices
from worker.dispatch import nvml as nvml_module
from worker.dispatch.device import Device, Process, Reading
from worker.dispatch.devices import find
from worker.dispatch.nvml import NoUsableGpu

SETTINGS = Settings(cpu_slots=2, threads=3)
MEMORY_MIB = 4096
CPU = [Device(f"cpu:{slot}", "CPU, 3 threads", "", MEMORY_MIB) for slot in range(2)]


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose control group has less memory than the machine."""
    (tmp_path / "meminfo").write_text(f"MemTotal: {16 * MEMORY_MIB * 1024} kB\nMemFree: 1 kB\n")
    (tmp_path / "memory.max").write_text(f"{MEMORY_MIB * 2**20}\n")
    monkeypatch.setattr(devices, "MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(devices, "GROUP_LIMIT", tmp_path / "memory.max")


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    """A machine with three GPUs and a torch that can use them."""
    nvml = FakeNvml(gpus=3)
    monkeypatch.setattr(nvml_module, "pynvml", nvml)
    monkeypatch.setattr(devices, "_torch_has_cuda", lambda: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return nvml


def test_every_gpu_is_a_device(nvml: FakeNvml) -> None:
    gpus = find(SETTINGS)
    assert gpus == [Device(f"cuda:{i}", "A Card", f"GPU-{i}a0b-ee", 24 * 1024) for i in range(3)]
    assert all(device.is_gpu for device in gpus)
    assert not nvml.is_open, "the library was left open"


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("1", ["cuda:1"]),
        ("2,0", ["cuda:0", "cuda:2"]),
        ("0, GPU-2a0b-ee", ["cuda:0", "cuda:2"]),
        ("GPU-1a0b", ["cuda:1"]),
    ],
)
@pytest.mark.usefixtures("nvml")
def test_only_gpus_visible_to_cuda_are_devices(
    visible: str, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [device.name for device in find(SETTINGS)] == names


@pytest.mark.parametrize("visible", ["", "-1"])
@pytest.mark.usefixtures("nvml")
def test_the_cpu_is_used_if_no_gpu_is_visible_to_cuda(
    visible: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert find(SETTINGS) == CPU


@pytest.mark.parametrize("visible", ["7", "GPU-9", "MIG-GPU-0a0b-ee/1/0", "NoDevFiles"])
@pytest.mark.usefixtures("nvml")
def test_an_unknown_name_is_refused_with_a_list_of_the_gpus(
    visible: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(NoUsableGpu) as refused:
        find(SETTINGS)
    message = str(refused.value)
    assert visible in message
    assert "cuda:1 (GPU-1a0b-ee)" in message
    assert 'CUDA_VISIBLE_DEVICES=""' in message


@pytest.mark.usefixtures("nvml")
def test_an_unknown_name_among_valid_names_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,7")
    with capture_logs() as lines:
        assert [device.name for device in find(SETTINGS)] == ["cuda:1"]
    assert [line["names"] for line in lines] == [["7"]]


def test_a_gpu_that_does_not_answer_is_left_out_and_the_others_keep_their_numbers(
    nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml.lost = (1,)
    with capture_logs() as lines:
        assert [device.name for device in find(SETTINGS)] == ["cuda:0", "cuda:2"]
    assert [line["gpu"] for line in lines] == ["cuda:1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    assert [device.uuid for device in find(SETTINGS)] == ["GPU-2a0b-ee"]
    assert not nvml.is_open, "the library was left open"


def test_the_cpu_does_not_replace_gpus_that_do_not_answer(nvml: FakeNvml) -> None:
    nvml.lost = (0, 1, 2)
    with pytest.raises(NoUsableGpu, match="None of the 3 GPUs"):
        find(SETTINGS)


@pytest.mark.usefixtures("nvml")
def test_a_gpu_without_dedicated_memory_is_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml_module, "pynvml", FakeNvmlWithSharedMemory(gpus=1))
    assert find(SETTINGS) == [Device("cuda:0", "A Card", "GPU-0a0b-ee", 0)]


@pytest.mark.parametrize(
    "error_code",
    [
        pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH,
        pynvml.NVML_ERROR_NO_PERMISSION,
        pynvml.NVML_ERROR_UNKNOWN,
    ],
)
def test_a_driver_that_does_not_answer_is_refused_with_what_to_do(
    error_code: int, nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml.error_code = error_code
    with pytest.raises(NoUsableGpu) as refused:
        find(SETTINGS)
    message = str(refused.value)
    assert str(pynvml.NVMLError(error_code)) in message
    assert "Reboot or reload the driver" in message
    assert 'CUDA_VISIBLE_DEVICES=""' in message

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert find(SETTINGS) == CPU, "following the message does not help"


def test_a_torch_without_cuda_needs_no_driver(
    nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml.error_code = pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH
    monkeypatch.setattr(devices, "_torch_has_cuda", lambda: False)
    assert find(SETTINGS) == CPU


@pytest.mark.parametrize(
    "fake",
    [
        FakeNvml(gpus=0, error_code=pynvml.NVML_ERROR_LIBRARY_NOT_FOUND),
        FakeNvml(gpus=0, error_code=pynvml.NVML_ERROR_DRIVER_NOT_LOADED),
        FakeNvml(gpus=0, error_code=pynvml.NVML_ERROR_GPU_NOT_FOUND),
        FakeNvml(gpus=0),
    ],
    ids=["library", "driver", "GPU found", "GPU"],
)
@pytest.mark.usefixtures("nvml")
def test_a_machine_without_a_gpu_has_cpu_slots(
    fake: FakeNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvml_module, "pynvml", fake)
    with capture_logs() as lines:
        assert find(SETTINGS) == CPU
    assert not lines
    assert not any(device.is_gpu for device in CPU)


@pytest.mark.usefixtures("nvml")
def test_gpus_are_not_used_by_a_torch_without_cuda_and_the_log_states_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "_torch_has_cuda", lambda: False)
    with capture_logs() as lines:
        assert find(SETTINGS) == CPU
    (line,) = lines
    assert (line["log_level"], line["gpus"]) == ("warning", ["A Card"] * 3)
    assert "built for the CPU only" in line["reason"]


def test_torch_is_not_imported_to_learn_whether_it_has_cuda() -> None:
    code = (
        "import sys; from worker.dispatch import devices; has = devices._torch_has_cuda();"
        "assert 'torch' not in sys.modules;"
        "import torch; assert has == (torch.version.cuda is not None)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_memory_of_the_cpu_is_that_of_the_machine_where_there_is_no_limit() -> None:
    devices.GROUP_LIMIT.write_text("max\n")
    assert devices.machine_memory_mib() == 16 * MEMORY_MIB
    devices.MEMORY.unlink()
    assert devices.machine_memory_mib() == 0


def test_a_gpu_reports_its_free_memory_and_its_processes(nvml: FakeNvml) -> None:
    gpus = find(SETTINGS)
    reading = Reading(20 * 1024, (Process(42, 4 * 1024),), None)
    assert nvml_module.read(gpus) == dict.fromkeys(("cuda:0", "cuda:1", "cuda:2"), reading)
    nvml.lost = (1,)
    assert nvml_module.read(gpus)["cuda:1"] is None
    nvml.error_code = pynvml.NVML_ERROR_UNKNOWN
    assert nvml_module.read(gpus) == {}, "a driver without an answer says nothing about its GPUs"
    assert not nvml.is_open, "the library was left open"


def test_only_one_module_knows_nvml() -> None:
    root = Path(__file__).parents[3]
    files = (path for path in (root / "worker").rglob("*.py") if "pynvml" in path.read_text())
    assert [path.name for path in files] == ["nvml.py"]
