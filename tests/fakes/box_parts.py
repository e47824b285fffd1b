"""A box of fake parts: real processes that record what happens to them.

`python -m tests.fakes.box_parts up` runs the real supervisor over them, in TRAINSHED_HOME.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from box.hang_detector import HangDetector
from box.parts import ROOT, Part
from box.supervisor import Supervisor
from shared.settings import Settings

#: In the order of the real parts; they end in the reverse order.
NAMES = ("sidecar", "worker", "api")
TIMEOUT_SECONDS = 60.0


def read_record(home: Path) -> list[str]:
    """Return the recorded lines."""
    path = home / "record"
    return path.read_text().splitlines() if path.exists() else []


def record(line: str) -> None:
    """Append a line to the record."""
    with (Settings().home / "record").open("a") as file:
        file.write(f"{line}\n")


def run_part(name: str, *, ignores_signals: bool) -> None:
    """Run until SIGTERM, or until SIGKILL if signals are ignored."""

    def on_sigterm(*_: object) -> None:
        if not ignores_signals:  # end once: another signal may arrive in the meantime
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        record(f"{name} received SIGTERM")
        if not ignores_signals:
            sys.exit(0)

    signal.signal(signal.SIGTERM, on_sigterm)
    record(f"{name} started")
    while True:
        time.sleep(600)


def is_sidecar_alive(settings: Settings) -> bool:
    """Answer for the sidecar, unless the test silences it with a file."""
    if (settings.home / "silence").exists():
        return False
    (settings.home / "answered").touch()
    return True


def run_box() -> int:
    """Run the supervisor over the fake parts."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
    deaf, grace = os.environ.get("IGNORES_SIGNALS", ""), float(os.environ.get("GRACE", "60"))
    command = (sys.executable, "-m", "tests.fakes.box_parts")
    parts = [
        Part(name, (*command, "deaf-part" if name == deaf else "part", name), grace)
        for name in NAMES
    ]
    if os.environ.get("MISSING"):
        parts[0] = Part("sidecar", ("/there/is/no/such/program",), grace)
    settings = Settings()
    return Supervisor(
        settings,
        parts=lambda _: parts,
        migration=Part("migrations", (sys.executable, "-c", ""), 1),
        hang_detector=HangDetector(settings, {"sidecar": is_sidecar_alive}, interval_seconds=0.02),
    ).run()


class FakeBox:
    """The box of fake parts, as a test controls it.

    Args:
        home: its home.
        port: the API's port, on which no fake listens.
        **environment: IGNORES_SIGNALS names a part that does, GRACE sets the grace in seconds, and
            MISSING makes the sidecar's program missing.
    """

    def __init__(self, home: Path, port: int, **environment: str) -> None:
        self.home = home
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TRAINSHED_")}
        own = {"TRAINSHED_HOME": str(home), "TRAINSHED_PORT": str(port)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.box_parts", "up"],
            cwd=ROOT,
            env=clean | own | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def wait_for(self, *lines: str) -> None:
        """Wait until the record holds these lines, each as often as it is named."""
        self._wait(
            lambda: all(read_record(self.home).count(line) >= lines.count(line) for line in lines)
        )

    def wait_until_sidecar_answers(self) -> None:
        """Wait until the sidecar has passed another health check."""
        (self.home / "answered").unlink(missing_ok=True)
        self._wait((self.home / "answered").exists)

    def _wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not condition():
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < deadline, read_record(self.home)
            time.sleep(0.02)

    def pid(self, name: str) -> int:
        """Return the process of a part, once its pid file exists."""
        path = self.home / "run" / f"{name}.pid"
        self._wait(path.exists)
        return int(path.read_text().split()[0])

    def end(self, number: signal.Signals = signal.SIGTERM) -> str:
        """Send a signal and return all output."""
        self.process.send_signal(number)
        return self.process.communicate(timeout=2 * TIMEOUT_SECONDS)[0]


if __name__ == "__main__":
    if sys.argv[1] == "up":
        sys.exit(run_box())
    run_part(sys.argv[2], ignores_signals=sys.argv[1] == "deaf-part")
