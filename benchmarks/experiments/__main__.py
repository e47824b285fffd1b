"""`make experiments`: run the jobs not run yet and write the tables to docs/experiments.md."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.boxes import ROOT, exit_on_signals, started
from benchmarks.experiments import (
    fine_tuning,
    initialization,
    regularization,
    transfer,
    uploaded_transfer,
)
from benchmarks.experiments.plan import Plan, run
from benchmarks.measurement import machine

PLANS = {
    module.PLAN.name: module.PLAN
    for module in (transfer, uploaded_transfer, fine_tuning, initialization, regularization)
}
HOME = ROOT / "home" / "experiments"
PAGE = ROOT / "docs" / "experiments.md"


def write(page: Path, plan: Plan, table: list[str]) -> None:
    """Write the section of a plan to the page; it replaces an older section."""
    begin, end = f"<!-- {plan.name} -->", f"<!-- end of {plan.name} -->"
    source = (
        f"Measured on {machine()}; mean ± standard deviation of {len(plan.seeds)} seeds. "
        f"`make experiments ONLY={plan.name}`."
    )
    section = "\n".join(
        [begin, f"## {plan.title}", "", f"{plan.question} {source}", "", *table, "", end]
    )
    text = page.read_text()
    if begin in text:
        before, _, rest = text.partition(begin)
        text = before + section + rest.partition(end)[2]
    else:
        text = f"{text.rstrip()}\n\n{section}\n"
    page.write_text(text)


def main(names: list[str]) -> int:
    """Run the named plans, or all; 2 for an unknown name."""
    unknown = [name for name in names if name not in PLANS]
    if unknown:
        print(
            f"Unknown: {', '.join(unknown)}. The experiments are {', '.join(PLANS)}.",
            file=sys.stderr,
        )
        return 2

    def log(line: str) -> None:
        print(f"{datetime.now(UTC):%H:%M:%S} {line}", flush=True)

    exit_on_signals()  # the next call resumes with the jobs in the kept home
    with started(kept_home=HOME, TRAINSHED_CPU_SLOTS=str(os.cpu_count())) as box:
        for name in names or list(PLANS):
            table = run(PLANS[name], box, log)
            write(PAGE, PLANS[name], table)
            print("\n".join(table), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
