"""A box of stand-ins: real processes that write down what happens to them.

`python -m tests.box.stand_in up` runs the real supervisor over them; TRAINSHED_HOME is its home.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from box.hang_detector import Pulse
from box.parts import ROOT, Part
from box.supervisor import Supervisor
from shared.settings import Settings

#: In the order of the real ones: they end in the reverse order.
NAMES = ("sidecar", "worker", "api")
PATIENCE_SECONDS = 60.0


def diary(home: Path) -> list[str]:
    """What has happened so far."""
    path = home / "diary"
    return path.read_text().splitlines() if path.exists() else []


def note(line: str) -> None:
    """Write down what happens."""
    with (Settings().home / "diary").open("a") as file:
        file.write(f"{line}\n")


def part(name: str, *, stubborn: bool) -> None:
    """Live until told to end; a stubborn one does not listen."""

    def end(*_: object) -> None:
        if not stubborn:  # once: it may be told again while it ends
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        note(f"{name} is told to end")
        if not stubborn:
            sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    note(f"{name} begins")
    while True:
        time.sleep(600)


def is_told_silent(settings: Settings) -> bool:
    """The sidecar answers unless the test says otherwise."""
    if (settings.home / "silence").exists():
        return False
    (settings.home / "answered").touch()
    return True


def up() -> int:
    """Run the supervisor over the stand-ins."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
    stubborn, grace = os.environ.get("STUBBORN", ""), float(os.environ.get("GRACE", "60"))
    command = (sys.executable, "-m", "tests.box.stand_in")
    found = [
        Part(name, (*command, "stubborn" if name == stubborn else "part", name), grace)
        for name in NAMES
    ]
    if os.environ.get("MISSING"):
        found[0] = Part("sidecar", ("/there/is/no/such/program",), grace)
    settings = Settings()
    return Supervisor(
        settings,
        list_parts=lambda _: found,
        migration=Part("migrations", (sys.executable, "-c", ""), 1),
        pulse=Pulse(settings, {"sidecar": is_told_silent}, round_seconds=0.02),
    ).run()


class StandInBox:
    """The box of stand-ins, as a test drives it."""

    def __init__(self, home: Path, port: int, **environment: str) -> None:
        self.home = home
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TRAINSHED_")}
        own = {"TRAINSHED_HOME": str(home), "TRAINSHED_PORT": str(port)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.box.stand_in", "up"],
            cwd=ROOT,
            env=clean | own | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def until(self, *lines: str) -> None:
        """Wait until the diary holds these lines, each as often as it is named."""
        self._until(
            lambda: all(diary(self.home).count(line) >= lines.count(line) for line in lines)
        )

    def until_desk_answers(self) -> None:
        """Wait until the sidecar, asked from now on, has answered."""
        (self.home / "answered").unlink(missing_ok=True)
        self._until((self.home / "answered").exists)

    def _until(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < deadline, diary(self.home)
            time.sleep(0.02)

    def pid(self, name: str) -> int:
        """The process of a part, once it is written down: a part may be faster to begin."""
        path = self.home / "run" / f"{name}.pid"
        self._until(path.exists)
        return int(path.read_text().split()[0])

    def end(self, number: signal.Signals = signal.SIGTERM) -> str:
        """Send a signal and return all that was said."""
        self.process.send_signal(number)
        return self.process.communicate(timeout=2 * PATIENCE_SECONDS)[0]


if __name__ == "__main__":
    if sys.argv[1] == "up":
        sys.exit(up())
    part(sys.argv[2], stubborn=sys.argv[1] == "stubborn")
