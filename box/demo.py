"""`make demo`: start the box, train a network through the HTTP API, and stop what was started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from box.parts import ROOT
from box.preconditions import CannotStart, check_port, free_port, is_home_locked
from box.terminal import print_line
from shared.settings import Settings

START_TIMEOUT_SECONDS = 120.0
#: For an interrupted demo to cancel its job.
CANCEL_TIMEOUT_SECONDS = 5.0
INTERRUPTED = 130


def demo(settings: Settings, *, keep: bool) -> int:
    """Run the demo and return its exit code; start a box unless one is running in the home.

    Args:
        settings: the settings of the box.
        keep: keep the box running after a demo that succeeds.

    Raises:
        CannotStart: the box cannot start.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    environment = os.environ | {"TRAINSHED_HOME": str(settings.home)}
    box, code = None, INTERRUPTED
    try:
        if is_home_locked(settings):
            print_line(f"using the box that is running in {settings.home}")
        else:
            environment["TRAINSHED_PORT"] = str(_choose_port(settings))
            print_line("starting the box: API, worker, sidecar, tracking, broker")
            log = _make_log(settings)
            box = _start_box(environment, log)
            print_line(_wait_until_ready(box, log))
        code = _run_client(environment)
    except KeyboardInterrupt:
        print_line("interrupted")
    finally:
        if box is not None:
            _stop_box(box, keep=keep and code == 0)
    return code


def _choose_port(settings: Settings) -> int:
    """Return the port of the settings; where the default port is in use, return a free port."""
    try:
        check_port(settings)
    except CannotStart:
        if "TRAINSHED_PORT" in os.environ:
            raise
        port = free_port(settings.host)
        print_line(f"port {settings.port} is in use; using port {port}")
        return port
    return settings.port


def _make_log(settings: Settings) -> Path:
    settings.make_directories()
    path = settings.home / "logs" / "box.log"
    path.write_text("")
    return path


def _start_box(environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            (sys.executable, "-m", "box", "up"),
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _wait_until_ready(box: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the box reports that it is ready, and return that line of its output.

    Raises:
        CannotStart: it ended, or was not ready in time.
    """
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        has_ended = box.poll() is not None
        output = log.read_text(errors="replace")
        for line in output.splitlines():
            if line.startswith("ready"):
                return line
        if has_ended:
            raise CannotStart(output.strip() or f"The box ended with {box.returncode}.")
        time.sleep(0.05)
    raise CannotStart(
        f"The box was not ready within {START_TIMEOUT_SECONDS:.0f} s. Its logs are in {log.parent}."
    )


def _run_client(environment: dict[str, str]) -> int:
    client = subprocess.Popen((sys.executable, "-m", "trainshed.demo"), cwd=ROOT, env=environment)
    try:
        return client.wait()
    except KeyboardInterrupt:
        # The client cancels its job; otherwise the job would resume at the box's next start.
        client.send_signal(signal.SIGINT)
        try:
            client.wait(CANCEL_TIMEOUT_SECONDS)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            client.kill()
        raise


def _stop_box(box: subprocess.Popen[bytes], *, keep: bool) -> None:
    if keep:
        print_line(f"The box keeps running. To stop it: kill {box.pid}")
        return
    box.send_signal(signal.SIGTERM)
    while box.poll() is None:
        try:
            box.wait()
        except KeyboardInterrupt:
            # A second signal makes the box stop at once.
            box.send_signal(signal.SIGTERM)
    print_line("The box has stopped. `make up` starts it again with its jobs.")
