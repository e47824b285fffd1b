"""What a runner is given of its worker's environment, and how a spare says that it is ready."""

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared.settings import Settings
from worker.dispatch import spare as module
from worker.dispatch.devices import Device
from worker.dispatch.spare import MAX_LINES, Spare, runner_environment

GPUS = [Device(f"cuda:{i}", "A Card", f"GPU-{i}") for i in (0, 2)]
CPU = [Device("cpu:0", "CPU"), Device("cpu:1", "CPU")]
Begin = Callable[[str, Sequence[Device]], tuple[Spare, threading.Event]]
CACHES = {"HF_HOME": "/data/hf", "XDG_CACHE_HOME": "/data/cache", "TORCH_HOME": "/data/torch"}
SECRETS = {
    "TRAINSHED_ADMIN_KEY": "a key",
    "TRAINSHED_BROKER_URL": "redis://:word@broker",
    "HF_TOKEN": "a token",
    "AWS_SECRET_ACCESS_KEY": "a key",
}


def test_where_things_are_cached_is_passed_on_and_no_secret() -> None:
    assert runner_environment({**CACHES, **SECRETS}) == CACHES


@pytest.mark.parametrize("name", ["http_proxy", "https_proxy", "HTTPS_PROXY", "HF_ENDPOINT"])
def test_an_address_is_passed_on(name: str) -> None:
    environment = {name: "http://proxy:3128", "no_proxy": "localhost,127.0.0.1"}
    assert runner_environment(environment) == environment


@pytest.mark.parametrize("address", ["http://me:word@proxy:3128", "me:word@proxy:3128"])
def test_an_address_with_a_password_is_left_out_and_its_name_is_told_once(address: str) -> None:
    name = f"{'HTTP' if address.startswith('http') else 'ALL'}_PROXY"
    module._warn_left_out.cache_clear()  # it may have been told of this machine's own proxy
    with capture_logs() as told:
        assert runner_environment({name: address, **CACHES}) == CACHES
        runner_environment({name: address})
    assert [line["name"] for line in told] == [name]
    assert "word@" not in str(told)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path)
    made.make_directories()
    return made


@pytest.fixture
def begin(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Starts a spare that is another program than the runner, and ends it after the test."""
    begun: list[Spare] = []

    def start(program: str, devices: Sequence[Device] = CPU) -> tuple[Spare, threading.Event]:
        monkeypatch.setattr(module, "COMMAND", [sys.executable, "-c", program])
        wake = threading.Event()
        begun.append(Spare(settings, 1, wake, devices))
        return begun[-1], wake

    yield start
    for spare in begun:
        spare.dismiss()
        spare.process.wait(60)  # `dismiss` waits a second, in which a loaded machine may not end it


@pytest.mark.parametrize(("devices", "visible"), [(GPUS, "GPU-0,GPU-2"), (CPU, "")])
def test_a_spare_sees_the_gpus_of_its_worker_in_their_order_and_on_the_cpu_none(
    devices: list[Device],
    visible: str,
    begin: Begin,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    program = (
        "import os, sys; print([os.environ[f'CUDA_{one}'] for one in "
        "('VISIBLE_DEVICES', 'DEVICE_ORDER')], file=sys.stderr); print('ready')"
    )
    _, wake = begin(program, devices)
    assert wake.wait(30)
    told = (settings.home / "logs" / "spares.log").read_text()
    assert told == f"{[visible, 'PCI_BUS_ID']}\n"


@pytest.mark.parametrize("before", ["a library says hello\n" * 9, "Loading ..."])
def test_a_spare_is_ready_whatever_a_library_prints_before(before: str, begin: Begin) -> None:
    with capture_logs() as told:
        spare, wake = begin(f"print({before + 'ready'!r}, flush=True); input()", CPU)
        assert wake.wait(30)
    assert spare.is_ready
    lines = [line["line"].strip() for line in told]
    assert lines == (["a library says hello"] * MAX_LINES if "hello" in before else [])


def test_a_spare_that_ends_was_never_ready(begin: Begin) -> None:
    spare, wake = begin("print('sorry')", CPU)
    assert wake.wait(30)
    assert not spare.is_ready


def test_a_spare_is_late_only_if_it_is_not_ready(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, _ = begin("input()", CPU)
    quick, wake = begin("print('ready', flush=True); input()", CPU)
    assert wake.wait(30)
    assert not slow.is_late
    monkeypatch.setattr(module, "READY_TIMEOUT_SECONDS", 0.0)
    assert slow.is_late
    assert not quick.is_late
