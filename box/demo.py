"""`make demo`: the whole box, a real training through the HTTP API, and nothing left running."""

import os
import signal
import subprocess
import sys
import time

from box.parts import ROOT
from box.supervisor import Refusal
from shared.settings import Settings

START_SECONDS = 60


def demo(settings: Settings, *, keep: bool) -> int:
    """Start a box unless one runs, show a training with the project's own client, stop the box."""
    environment = os.environ | {"TRAINSHED_HOME": str(settings.home)}
    box = _start(environment)
    code = 1
    try:
        shown = subprocess.run(
            [sys.executable, "-m", "trainshed.demo"], cwd=ROOT, env=environment, check=False
        )
        code = shown.returncode
    except KeyboardInterrupt:
        code = 130
    finally:
        if keep and code == 0:
            stop = f"stop it by: kill {box.pid}" if box is not None else "it was there before"
            sys.stdout.write(f"The box goes on at port {settings.port}; {stop}\n")
        elif box is not None:
            box.send_signal(signal.SIGTERM)
            box.wait()
    return code


def _start(environment: dict[str, str]) -> subprocess.Popen[bytes] | None:
    """The box, or None where one runs in this home already."""
    box = subprocess.Popen(
        [sys.executable, "-m", "box", "up"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + START_SECONDS
    assert box.stdout is not None
    assert box.stderr is not None
    while time.monotonic() < deadline:
        line = box.stdout.readline().decode()
        if line.startswith("ready"):
            return box
        if not line:
            said = box.stderr.read().decode().strip()
            box.wait()
            if "running in" in said:
                return None
            raise Refusal(said or f"the box ended with {box.returncode}; see its logs")
    box.send_signal(signal.SIGTERM)
    raise Refusal(f"the box was not ready within {START_SECONDS} s; see its logs")
