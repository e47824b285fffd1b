"""Recall on faulty specifications, silence on healthy specifications, and repair by patches.

Seeds 0 to 2 were used while thresholds were chosen; these are others. Each case and seed is stored
once it is measured, so an interrupted benchmark resumes. `TRAINSHED_BENCH_CASES="F14 H13:3"` (a
case, or a case with a seed) and `TRAINSHED_BENCH_SEEDS="3"` choose some of them.
"""

import os
import statistics
from collections.abc import Iterator

from benchmarks.diagnostics.cases import COMMON, FAULTS, HEALTHY, Fault
from benchmarks.diagnostics.data_faults import OF_DATA
from benchmarks.diagnostics.further_cases import FURTHER_FAULTS, FURTHER_HEALTHY, Spec
from benchmarks.diagnostics.neighbours import NEIGHBOUR_FAULTS, NEIGHBOUR_HEALTHY
from benchmarks.diagnostics.outcomes import Outcome, measured
from benchmarks.measurement import Measurement

SEEDS = tuple(map(int, os.environ.get("TRAINSHED_BENCH_SEEDS", "3 4 5").split()))
#: A repaired specification reaches this fraction of the healthy accuracy.
BAR = 0.95
#: The share of the steps within which a fault counts as found early.
EARLY = 0.05
#: Faults for which an `info` counts as found, and whose accuracy is not judged.
AS_INFO = {"F18", "F19"}
#: Healthy cases with fewer samples, which measure only the faults whose twins they are.
ONLY_TWINS = {"H14", "H15", "H25"}
ALL_FAULTS = FAULTS | FURTHER_FAULTS | NEIGHBOUR_FAULTS
ALL_HEALTHY = HEALTHY | FURTHER_HEALTHY | NEIGHBOUR_HEALTHY
Key = tuple[str, int]


def measure() -> Iterator[Measurement]:
    """Train every case with every seed, and yield a measurement for each target."""
    healthy = dict(_outcomes(ALL_HEALTHY))
    usual = _usual(healthy)
    specs = {name: fault.spec for name, fault in ALL_FAULTS.items()}
    faulty = dict(_outcomes(specs, usual))
    yield from _recognition(faulty)
    silent = [bool(each.loud) for each in healthy.values()]
    yield _share("healthy runs with a warning or an error", silent, "≤ 0.042")
    yield from _repair(faulty)
    bars = {name: bar for name in specs if (bar := bar_of(name, usual)) is not None}
    is_low = [
        each.accuracy < bars[name]
        for (name, _), each in faulty.items()
        if name in bars and name not in AS_INFO
    ]
    yield _share("specifications that are faulty, judged by accuracy", is_low, "≥ 0.95")
    fired = [bool(each.sagemaker) for each in faulty.values()]
    yield _share("SageMaker's default rules: faulty runs with a finding", fired, "≥ 0")
    fired = [bool(each.sagemaker) for each in healthy.values()]
    yield _share("SageMaker's default rules: healthy runs with a finding", fired, "≥ 0")


def _outcomes(
    specs: dict[str, Spec], usual: dict[str, float] | None = None
) -> Iterator[tuple[Key, Outcome]]:
    """Measure each case with each seed; of faulty cases also what the patches do."""
    wanted = os.environ.get("TRAINSHED_BENCH_CASES", "").split()
    for seed in SEEDS:
        for name, spec in specs.items():
            if not wanted or name in wanted or f"{name}:{seed}" in wanted:
                bar = None if usual is None else bar_of(name, usual)
                yield (name, seed), measured(name, {**spec, "seed": seed}, bar)


def bar_of(name: str, usual: dict[str, float]) -> float | None:
    """Return the accuracy that a repaired fault reaches; None where no patch can be judged."""
    fault = ALL_FAULTS[name]
    healthy = usual.get(fault.twin or _data(fault.spec))
    if healthy is None or name in OF_DATA or not is_measured(fault.spec):
        return None
    return BAR * healthy


def is_measured(spec: Spec) -> bool:
    """Return whether a specification has an accuracy to judge it by: a regression has none."""
    return "target" not in spec["dataset"]


def _data(spec: Spec) -> str:
    return spec["dataset"]["name"]


def _usual(healthy: dict[Key, Outcome]) -> dict[str, float]:
    """Return the median accuracy of healthy networks by case and by data set."""
    found: dict[str, list[float]] = {}
    for (name, _), outcome in healthy.items():
        if is_measured(ALL_HEALTHY[name]):
            data = [] if name in ONLY_TWINS else [_data(ALL_HEALTHY[name])]
            for key in (name, *data):
                found.setdefault(key, []).append(outcome.accuracy)
    usual = {name: statistics.median(values) for name, values in found.items()}
    return {"synthetic": 1.0, **usual}


def _recognition(faulty: dict[Key, Outcome]) -> Iterator[Measurement]:
    pairs = [(ALL_FAULTS[name], name, outcome) for (name, _), outcome in faulty.items()]
    loud = [bool(o.rules if name in AS_INFO else o.loud) for _, name, o in pairs]
    yield _share("faulty runs with an error or a warning", loud, "≥ 0.96")
    yield _share("root rule named", [f.root in o.rules for f, _, o in pairs], "≥ 0.92")
    first = [(o.rules if name in AS_INFO else o.roots)[:1] == [f.root] for f, name, o in pairs]
    yield _share("root rule named first", first, "≥ 0.85")
    expected = [r in (f.root, *f.may, *COMMON) for f, _, o in pairs for r in o.rules]
    yield _share("findings on faulty runs that are expected", expected, "≥ 0.9")
    early = [_is_early(f, o) for f, _, o in pairs]
    yield _share("faults named before 5 % of the steps", early, "≥ 0.7")
    by_case: dict[str, list[bool]] = {}
    for (name, _), outcome in faulty.items():
        by_case.setdefault(name, []).append(ALL_FAULTS[name].root in outcome.rules)
    same = [all(hits) for hits in by_case.values()]
    yield _share("cases with the root named for every seed", same, "≥ 0.9")


def _repair(faulty: dict[Key, Outcome]) -> Iterator[Measurement]:
    repairs = [outcome.repairs for outcome in faulty.values() if outcome.repairs]
    yield _share("first patch repairs", [each[0].reaches_bar for each in repairs], "≥ 0.85")
    yield _share(
        "one of three patches repairs",
        [any(patch.reaches_bar for patch in each) for each in repairs],
        "≥ 0.95",
    )
    checked = [patch for each in repairs for patch in each]
    for verdict, target in (("verified", "≥ 0.95"), ("refuted", "≤ 0.1")):
        reached = [patch.reaches_bar for patch in checked if patch.verdict == verdict]
        if reached:
            yield _share(f"{verdict} patches whose full run reaches the bar", reached, target)


def _is_early(fault: Fault, found: Outcome) -> bool:
    step = found.opened_steps.get(fault.root)
    return step is not None and step <= EARLY * found.planned_steps


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
