"""`scripts/gpu-check`: run the parts one after the other, print and keep what they measure."""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.boxes import ROOT, exit_on_signals
from benchmarks.gpu.card import NoCard, find_card
from benchmarks.gpu.page import Page
from benchmarks.gpu.parts import PARTS
from benchmarks.gpu.result import HEAD, Result

LIMIT_SECONDS = 360.0
#: For a part that is stopped to stop its box.
STOP_SECONDS = 8.0


def main() -> int:
    """Run the check; return 1 if a target is missed, 0 without a GPU."""
    parser = argparse.ArgumentParser(prog="scripts/gpu-check", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="cpu: a rehearsal without a GPU")  # fmt: skip
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks", help="directory of the page")  # fmt: skip
    parser.add_argument("--limit", type=float, default=LIMIT_SECONDS, help="seconds for all parts")
    options = parser.parse_args()
    unknown = [name for name in options.parts if name not in PARTS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}. The parts are {', '.join(PARTS)}")
    card = None
    if options.device == "cuda":
        try:
            card = find_card()
        except NoCard as reason:
            print(f"Nothing to check: {reason}.")
            return 0
    exit_on_signals()
    page = Page(options.out, card)
    print(page.title(), HEAD, sep="\n\n", flush=True)
    results: list[Result] = []
    deadline = time.monotonic() + options.limit
    for name in options.parts or list(PARTS):
        if PARTS[name].needs_gpu and card is None:
            continue
        seconds = min(PARTS[name].limit_seconds, deadline - time.monotonic())
        for result in _run(name, options.device, seconds):
            print(result.row(), flush=True)
            results.append(result)
            page.write(results)
    return 0 if all(result.is_met for result in results) else 1


def _run(name: str, device: str, seconds: float) -> Iterator[Result]:
    """Run a part and yield its results; stop it when its time is over."""
    if seconds < 1:
        yield _stopped(name, "no time was left")
        return
    began = time.monotonic()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "benchmarks.gpu.run_part",
            name,
            device,
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    timer = threading.Timer(seconds, process.terminate)
    timer.start()
    try:
        for line in process.stdout or ():
            try:
                yield Result.parse(line)
            except ValueError:
                sys.stderr.write(line)
        process.wait(STOP_SECONDS)
    finally:
        timer.cancel()
        _kill(process)
    elapsed = time.monotonic() - began
    if process.returncode == 128 + signal.SIGTERM:
        yield _stopped(name, f"after {elapsed:.0f} s")
    elif process.returncode not in (0, 1):
        yield _stopped(name, f"its process ended with {process.returncode}")
    yield Result(name, "the whole part", elapsed, "s")


def _stopped(name: str, note: str) -> Result:
    return Result(name, "stopped before its end", 1, target="= 0", note=note)


def _kill(process: subprocess.Popen[str]) -> None:
    """End a part that still runs, with everything that it started."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
