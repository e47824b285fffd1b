"""What a runner gets of its worker's environment, and how a spare becomes ready."""

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared.settings import Settings
from worker.assignment import Assignment
from worker.dispatch import spare as module
from worker.dispatch.device import Device
from worker.dispatch.spare import MAX_LINES, Spare, runner_environment

GPUS = [Device(f"cuda:{i}", "A Card", f"GPU-{i}") for i in (0, 2)]
ASSIGNMENT = Assignment("job_1", 1, {}, None, "cuda:2", "GPU-2", 1, index=1)
CPU = [Device("cpu:0", "CPU"), Device("cpu:1", "CPU")]
Start = Callable[[str, Sequence[Device]], tuple[Spare, threading.Event]]
CACHES = {"HF_HOME": "/data/hf", "XDG_CACHE_HOME": "/data/cache", "TORCH_HOME": "/data/torch"}
SECRETS = {
    "TRAINSHED_ADMIN_KEY": "a key",
    "TRAINSHED_BROKER_URL": "redis://:word@broker",
    "HF_TOKEN": "a token",
    "AWS_SECRET_ACCESS_KEY": "a key",
}


def test_a_runner_gets_the_cache_directories_and_no_secret() -> None:
    assert runner_environment({**CACHES, **SECRETS}) == CACHES


@pytest.mark.parametrize("name", ["http_proxy", "https_proxy", "HTTPS_PROXY", "HF_ENDPOINT"])
def test_a_runner_gets_addresses(name: str) -> None:
    environment = {name: "http://proxy:3128", "no_proxy": "localhost,127.0.0.1"}
    assert runner_environment(environment) == environment


@pytest.mark.parametrize("address", ["http://me:word@proxy:3128", "me:word@proxy:3128"])
def test_a_runner_gets_no_address_with_a_password_and_the_log_names_it_once(address: str) -> None:
    name = f"{'HTTP' if address.startswith('http') else 'ALL'}_PROXY"
    module._warn_left_out.cache_clear()  # this machine may have a proxy with the same name
    with capture_logs() as lines:
        assert runner_environment({name: address, **CACHES}) == CACHES
        runner_environment({name: address})
    assert [line["name"] for line in lines] == [name]
    assert "word@" not in str(lines)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path)
    made.make_directories()
    return made


@pytest.fixture
def start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Return a function that starts a program as a spare; all are killed after the test."""
    started: list[Spare] = []

    def start_spare(program: str, devices: Sequence[Device] = CPU) -> tuple[Spare, threading.Event]:
        monkeypatch.setattr(module, "COMMAND", [sys.executable, "-c", program])
        wake = threading.Event()
        started.append(Spare(settings, 1, wake, devices))
        return started[-1], wake

    yield start_spare
    for spare in started:
        spare.dismiss()
        spare.process.wait(60)  # `dismiss` waits only a second


@pytest.mark.parametrize(("devices", "visible"), [(GPUS, "GPU-0,GPU-2"), (CPU, "")])
def test_the_gpus_of_its_worker_are_visible_to_a_spare_in_bus_order(
    devices: list[Device],
    visible: str,
    start: Start,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    program = (
        "import os, sys; print([os.environ[f'CUDA_{name}'] for name in "
        "('VISIBLE_DEVICES', 'DEVICE_ORDER')], file=sys.stderr); print('ready')"
    )
    _, wake = start(program, devices)
    assert wake.wait(30)
    output = (settings.home / "logs" / "spares.log").read_text()
    assert output == f"{[visible, 'PCI_BUS_ID']}\n"


@pytest.mark.parametrize("before", ["hello from a library\n" * 9, "Loading ..."])
def test_a_spare_is_ready_even_if_a_library_prints_something_before(
    before: str, start: Start
) -> None:
    with capture_logs() as lines:
        spare, wake = start(f"print({before + 'ready'!r}, flush=True); input()", CPU)
        assert wake.wait(30)
    assert spare.is_ready
    texts = [line["line"].strip() for line in lines]
    assert texts == (["hello from a library"] * MAX_LINES if "hello" in before else [])


def test_a_spare_that_exits_is_not_ready(start: Start) -> None:
    spare, wake = start("print('sorry')", CPU)
    assert wake.wait(30)
    assert not spare.is_ready


def test_only_a_spare_that_is_not_ready_can_be_late(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, _ = start("input()", CPU)
    quick, wake = start("print('ready', flush=True); input()", CPU)
    assert wake.wait(30)
    assert not slow.is_late
    monkeypatch.setattr(module, "READY_TIMEOUT_SECONDS", 0.0)
    assert slow.is_late
    assert not quick.is_late


def test_a_spare_is_requested_once_to_set_up_a_gpu(start: Start, tmp_path: Path) -> None:
    read = tmp_path / "read"
    code = f"import sys; print('ready', flush=True); open({str(read)!r}, 'w').writelines(sys.stdin)"
    spare, wake = start(code, GPUS)
    assert wake.wait(30)
    for _ in range(2):
        spare.warm_up(GPUS[1])
    process = spare.assign(ASSIGNMENT)
    assert process.wait(30) == 0
    assert read.read_bytes() == b"warm GPU 1\n" + ASSIGNMENT.line()
