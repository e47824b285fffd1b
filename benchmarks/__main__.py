"""`make bench`: all figures, or those named: `make bench ONLY="training scale"`."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from benchmarks import augmentation, latency, routes, scale, training
from benchmarks.boxes import ROOT, started
from benchmarks.measuring import HEAD, Figure, NotHere, machine, save

PAGES = ROOT / "docs" / "benchmarks"


def _idle() -> Iterator[Figure]:
    yield from latency.start_and_memory()
    with started() as box:
        yield latency.first_step(box)


def _training() -> Iterator[Figure]:
    with started() as box:
        yield training.against_bare_loop(box, "float32")
        yield training.against_bare_loop(box, "bfloat16")
        yield training.against_keras(box)


SUITES = {
    "idle": _idle,
    "routes": routes.figures,
    "scale": scale.figures,
    "training": _training,
    "augmentation": augmentation.figures,
}


def main(names: list[str]) -> int:
    """Measure, print the table as it grows, and save it; 1 if a target is missed or left out."""
    unknown = [name for name in names if name not in SUITES]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; there are {', '.join(SUITES)}", file=sys.stderr)
        return 2
    print(machine(), HEAD, sep="\n\n", flush=True)
    all_met = True
    for name in names or list(SUITES):
        figures: list[Figure] = []
        try:
            for figure in SUITES[name]():
                print(figure.row(), flush=True)
                figures.append(figure)
        except NotHere as missing:
            print(f"| {name} | left out: {missing} |", flush=True)
            all_met = False
        if figures:  # after each suite: what was measured is not lost with the next
            save(figures, PAGES / f"{name}-{datetime.now(UTC):%Y-%m-%d}.md")
        all_met &= all(figure.is_met for figure in figures)
    return 0 if all_met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
