"""`make bench`: all benchmarks, or some of them: `make bench ONLY="training scale"`."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from benchmarks import (
    augmentation,
    backup,
    claim,
    data,
    estimates,
    failover,
    latency,
    lifecycle,
    predictions,
    routes,
    scale,
    several_devices,
    time_sharing,
    training,
)
from benchmarks.boxes import ROOT, exit_on_signals, started
from benchmarks.diagnostics import suite as diagnostics
from benchmarks.measurement import HEAD, Measurement, MissingRequirement, machine, save
from benchmarks.pages import suite as pages
from benchmarks.references import suite
from benchmarks.robustness import suite as robustness
from benchmarks.sharing import suite as sharing

PAGES = ROOT / "docs" / "benchmarks"


def _idle() -> Iterator[Measurement]:
    yield from latency.start_and_memory()
    with started() as box:
        yield latency.first_step(box)


def _training() -> Iterator[Measurement]:
    with started() as box:
        yield training.against_bare_loop(box, "float32")
        yield training.against_bare_loop(box, "bfloat16")
        yield training.against_keras(box)


SUITES = {
    "idle": _idle,
    "routes": routes.measure,
    "scale": scale.measure,
    "training": _training,
    "augmentation": augmentation.measure,
    "data": data.measure,
    "predictions": predictions.measure,
    "references": suite.measure,
    "robustness": robustness.measure,
    "diagnostics": diagnostics.measure,
    "sharing": sharing.measure,
    "claim": claim.measure,
    "pages": pages.measure,
    "backup": backup.measure,
    "several-devices": several_devices.measure,
    "failover": failover.measure,
    "estimates": estimates.measure,
    "lifecycle": lifecycle.measure,
    "time-sharing": time_sharing.measure,
}


def main(names: list[str]) -> int:
    """Run the benchmarks; print each row as it is measured, and save the table of each benchmark.

    Return 1 if a target is missed or a benchmark is left out, and 2 for an unknown name.
    """
    unknown = [name for name in names if name not in SUITES]
    if unknown:
        print(
            f"Unknown: {', '.join(unknown)}. The benchmarks are {', '.join(SUITES)}.",
            file=sys.stderr,
        )
        return 2
    exit_on_signals()
    print(machine(), HEAD, sep="\n\n", flush=True)
    all_met = True
    for name in names or list(SUITES):
        measurements: list[Measurement] = []
        try:
            for measurement in SUITES[name]():
                print(measurement.row(), flush=True)
                measurements.append(measurement)
        except MissingRequirement as missing:
            print(f"| {name} | left out: {missing} |", flush=True)
            all_met = False
        if measurements:  # saved after each benchmark, so that a later failure loses nothing
            save(measurements, PAGES / f"{name}-{datetime.now(UTC):%Y-%m-%d}.md")
        all_met &= all(measurement.is_met for measurement in measurements)
    return 0 if all_met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
