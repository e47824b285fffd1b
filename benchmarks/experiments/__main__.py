"""`make experiments`: run what was not run yet and write the tables into docs/experiments.md."""

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.boxes import ROOT, started
from benchmarks.experiments import initialization, regularization, transfer
from benchmarks.experiments.plan import Plan, run
from benchmarks.measuring import machine

PLANS = {module.PLAN.name: module.PLAN for module in (transfer, initialization, regularization)}
HOME = ROOT / "home" / "experiments"
PAGE = ROOT / "docs" / "experiments.md"


def write(page: Path, plan: Plan, table: list[str]) -> None:
    """Put the section of a plan into the page, in the place of an older one."""
    begin, end = f"<!-- {plan.name} -->", f"<!-- end of {plan.name} -->"
    said = f"Measured on {machine()}; mean ± standard deviation of {len(plan.seeds)} seeds."
    told = f"`make experiments ONLY={plan.name}`."
    section = "\n".join(
        [begin, f"## {plan.title}", "", f"{plan.question} {said} {told}", "", *table, "", end]
    )
    text = page.read_text()
    if begin in text:
        before, _, rest = text.partition(begin)
        text = before + section + rest.partition(end)[2]
    else:
        text = f"{text.rstrip()}\n\n{section}\n"
    page.write_text(text)


def main(names: list[str]) -> int:
    """Run the plans named, or all."""
    unknown = [name for name in names if name not in PLANS]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; there are {', '.join(PLANS)}", file=sys.stderr)
        return 2

    def say(line: str) -> None:
        print(f"{datetime.now(UTC):%H:%M:%S} {line}", flush=True)

    # Stopped from outside it stops its box too, and goes on where it was another time.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with started(kept_home=HOME, TRAINSHED_CPU_SLOTS=str(os.cpu_count())) as box:
        for name in names or list(PLANS):
            table = run(PLANS[name], box, say)
            write(PAGE, PLANS[name], table)
            print("\n".join(table), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
