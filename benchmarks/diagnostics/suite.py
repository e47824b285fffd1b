"""Recall on faulty specifications, silence on healthy specifications, and repair by the first patch.

Seeds 0 to 2 were used while thresholds were chosen; these are others.
"""

import statistics
from collections.abc import Iterator

from api.http.json_patch import apply_patch
from benchmarks.diagnostics.cases import COMMON, FAULTS, HEALTHY, Fault
from benchmarks.diagnostics.runs import Run, run
from benchmarks.measurement import Measurement

SEEDS = (3, 4, 5)
#: A repaired specification reaches this fraction of the healthy accuracy.
BAR = 0.95
#: The share of the steps within which a fault counts as found early.
EARLY = 0.05


def measure() -> Iterator[Measurement]:
    """Train every case with every seed, and yield a measurement for each target."""
    healthy = {
        (name, seed): run({**spec, "seed": seed})
        for name, spec in HEALTHY.items()
        for seed in SEEDS
    }
    usual = statistics.median(r.accuracy for r in healthy.values())
    faulty = {
        (name, seed): run({**fault.spec, "seed": seed})
        for name, fault in FAULTS.items()
        for seed in SEEDS
    }
    faults = {key: FAULTS[key[0]] for key in faulty}
    is_fault = {key: r.accuracy < BAR * usual for key, r in faulty.items()}
    named = [r.rules("error", "warning") for r in faulty.values()]
    yield _share(
        "faulty runs with an error or a warning", [bool(rules) for rules in named], "≥ 0.96"
    )
    yield _share(
        "root rule named", [f.root in r.rules() for f, r in _pairs(faults, faulty)], "≥ 0.92"
    )
    yield _share(
        "root rule named first",
        [r.roots[:1] == [f.root] for f, r in _pairs(faults, faulty)],
        "≥ 0.85",
    )
    yield _share(
        "findings on faulty runs that are expected",
        [
            rule in (f.root, *f.may, *COMMON)
            for f, r in _pairs(faults, faulty)
            for rule in r.rules()
        ],
        "≥ 0.9",
    )
    silent = [bool(r.rules("error", "warning")) for r in healthy.values()]
    yield _share("healthy runs with a warning or an error", silent, "≤ 0.042")
    yield _share(
        "faults named before 5 % of the steps",
        [_is_early(f, r) for f, r in _pairs(faults, faulty)],
        "≥ 0.7",
    )
    repaired = [
        _repairs(r, usual)
        for key, (f, r) in zip(faulty, _pairs(faults, faulty), strict=True)
        if is_fault[key] and key[1] == SEEDS[0] and f.root in r.rules()
    ]
    yield _share("first patch of the root repairs", repaired, "≥ 0.85")
    yield _share(
        "specifications that are faulty, judged by accuracy", [*is_fault.values()], "≥ 0.95"
    )


def _pairs(
    faults: dict[tuple[str, int], Fault], runs: dict[tuple[str, int], Run]
) -> list[tuple[Fault, Run]]:
    return [(faults[key], runs[key]) for key in runs]


def _share(name: str, hits: list[bool], target: str) -> Measurement:
    """Return the share of hits as a measurement."""
    share = sum(hits) / max(1, len(hits))
    return Measurement(
        name=f"{name} (n = {len(hits)})",
        ratio_of="share",
        ratios=(share,),
        target=target,
        ours=sum(hits),
        theirs=len(hits),
        unit="runs",
    )


def _is_early(fault: Fault, found: Run) -> bool:
    steps = [row.first_step for row in found.findings if row.rule == fault.root]
    return bool(steps) and min(steps) <= EARLY * found.planned_steps


def _repairs(found: Run, usual: float) -> bool:
    """Return whether the first patch of the first root reaches the bar."""
    root = next((row for row in found.findings if row.rule == found.roots[0]), None)
    patches = root.data["patches"] if root is not None else []
    if not patches:
        return False
    return run(apply_patch(found.spec, patches[0]["operations"])).accuracy >= BAR * usual
