"""`make bench`: all figures, or those named: `make bench ONLY="training scale"`."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from benchmarks import augmentation, latency, routes, scale, training
from benchmarks.boxes import ROOT, started
from benchmarks.measuring import HEAD, Figure, machine, save


def _idle() -> Iterator[Figure]:
    with started() as box:
        yield latency.ready(box)
        yield latency.first_step(box)
        yield latency.resident(box)


def _training() -> Iterator[Figure]:
    with started() as box:
        yield training.against_bare_loop(box, "float32")
        yield training.against_bare_loop(box, "bfloat16")
        yield training.against_keras(box)


def _scale() -> Iterator[Figure]:
    yield scale.figure()


SUITES = {
    "idle": _idle,
    "routes": routes.figures,
    "scale": _scale,
    "training": _training,
    "augmentation": augmentation.figures,
}


def main(names: list[str]) -> int:
    """Measure, print the table as it grows, and save it; 1 if a target is missed."""
    unknown = [name for name in names if name not in SUITES]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; there are {', '.join(SUITES)}", file=sys.stderr)
        return 2
    print(machine(), HEAD, sep="\n\n", flush=True)
    figures: list[Figure] = []
    for name in names or list(SUITES):
        for figure in SUITES[name]():
            print(figure.row(), flush=True)
            figures.append(figure)
    label = "-".join(["spine", *names, datetime.now(UTC).strftime("%Y-%m-%d")])
    save(figures, ROOT / "docs" / "benchmarks" / f"{label}.md")
    return 0 if all(figure.is_met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
