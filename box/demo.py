"""`make demo`: the whole box, a real training through the HTTP API, and nothing left running."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from box.parts import ROOT
from box.preconditions import Refusal, check_port, free_port, is_taken
from box.terminal import say
from shared.settings import Settings

START_SECONDS = 120.0
#: How long the demo may take to cancel its job when it is interrupted.
GOODBYE_SECONDS = 5.0
INTERRUPTED = 130


def demo(settings: Settings, *, keep: bool) -> int:
    """Start a box unless one runs, show a training with the project's own client, stop the box.

    Raises:
        Refusal: the box cannot start.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    environment = os.environ | {"TRAINSHED_HOME": str(settings.home)}
    box, code = None, INTERRUPTED
    try:
        if is_taken(settings):
            say(f"a box is running in {settings.home} already: it is used")
        else:
            environment["TRAINSHED_PORT"] = str(_port(settings))
            say("starting the box: API, worker, sidecar, tracking, broker")
            log = _make_log(settings)
            box = _box(environment, log)
            say(_until_ready(box, log))
        code = _show(environment)
    except KeyboardInterrupt:
        say("interrupted")
    finally:
        if box is not None:
            _leave(box, keep=keep and code == 0)
    return code


def _port(settings: Settings) -> int:
    """The port that is set; the usual one if it is free, else another."""
    try:
        check_port(settings)
    except Refusal:
        if "TRAINSHED_PORT" in os.environ:
            raise
        port = free_port(settings.host)
        say(f"port {settings.port} is in use, {port} is taken instead")
        return port
    return settings.port


def _make_log(settings: Settings) -> Path:
    settings.make_directories()
    path = settings.home / "logs" / "box.log"
    path.write_text("")
    return path


def _box(environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
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


def _until_ready(box: subprocess.Popen[bytes], log: Path) -> str:
    """Wait for the box; return how it says that it is ready."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        has_ended = box.poll() is not None
        said = log.read_text(errors="replace")
        for line in said.splitlines():
            if line.startswith("ready"):
                return line
        if has_ended:
            raise Refusal(said.strip() or f"the box ended with {box.returncode}")
        time.sleep(0.05)
    raise Refusal(f"the box was not ready within {START_SECONDS:.0f} s; see {log.parent}")


def _show(environment: dict[str, str]) -> int:
    shown = subprocess.Popen((sys.executable, "-m", "trainshed.demo"), cwd=ROOT, env=environment)
    try:
        return shown.wait()
    except KeyboardInterrupt:
        # It cancels its job, which else would go on when the box starts next.
        shown.send_signal(signal.SIGINT)
        try:
            shown.wait(GOODBYE_SECONDS)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            shown.kill()
        raise


def _leave(box: subprocess.Popen[bytes], *, keep: bool) -> None:
    if keep:
        say(f"The box goes on; stop it by: kill {box.pid}")
        return
    box.send_signal(signal.SIGTERM)
    while box.poll() is None:
        try:
            box.wait()
        except KeyboardInterrupt:
            # Impatience: the box ends at once when it is told twice.
            box.send_signal(signal.SIGTERM)
    say("The box is stopped; `make up` starts it again, with its jobs in it.")
