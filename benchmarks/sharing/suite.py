"""`make bench ONLY=sharing`: a simulated week with the plan and with other policies.

Each row is the ratio of our value to the best value of a peer, both means over the weeks. The peers
are models of their policies. `TRAINSHED_BENCH_HISTORIES` sets how many adversarial histories are
run. What was computed with the present code is kept: a run that was stopped continues, and twice as
many histories take as long again.
"""

import os
from collections.abc import Iterator
from dataclasses import asdict

from benchmarks.measurement import Measurement, against_limit
from benchmarks.sharing.deployed import Deployed
from benchmarks.sharing.histories import excess
from benchmarks.sharing.ours import PACKED, SHARED, WHOLE_DEVICES, Ours
from benchmarks.sharing.peers import PEERS
from benchmarks.sharing.results import Result
from benchmarks.sharing.saved import Saved
from benchmarks.sharing.simulator import Policy, Simulation
from benchmarks.sharing.workload import CLASSROOM, HELIOS, HELIOS_LIGHT, Trace, week

SEEDS = 20
DAY = 86_400.0
HISTORIES = int(os.environ.get("TRAINSHED_BENCH_HISTORIES", "10000"))
#: So many histories are kept together.
BLOCK = 50
#: By value of a result: the target of our ratio to the best peer.
TARGETS = {
    "mean_wait": "≤ 0.5",
    "p95_wait": "≤ 0.4",
    "wait_of_short_jobs": "≤ 0.3",
    "wait_of_light_users": "≤ 0.4",
    "slowdown": "≤ 0.3",
    "completion": "≤ 0.75",
    "jain": "≥ 1.1",
    "goodput": "≥ 0.97",
    "longest_wait": "≤ 1",
}
UNITS = {"jain": "", "goodput": "of capacity", "slowdown": "times"}
FIFO = "FIFO, whole devices"
#: Parts of the policy, the whole where every job's utilization is known, and as a box runs it.
DEPLOYED = "as deployed"
OURS = {
    "whole devices, no quantum": Ours(WHOLE_DEVICES),
    "packing, no quantum": Deployed(PACKED),
    "packing and the quantum, known utilization": Ours(SHARED),
    DEPLOYED: Deployed(SHARED),
}


def measure() -> Iterator[Measurement]:
    """Yield the ratios under three loads, and the longest wait of the adversarial histories."""
    saved = Saved.of_code()
    for trace, targets in (
        (HELIOS, TARGETS),
        (HELIOS_LIGHT, {"mean_wait": "≤ 0.5"}),
        (CLASSROOM, {"mean_wait": "≤ 0.9"}),
    ):
        peers = {name: _mean(saved, trace, name, 7 * DAY) for name in PEERS}
        ours = {name: _mean(saved, trace, name, DAY) for name in OURS}
        for value, target in targets.items():
            yield _ratio(trace, value, target, ours[DEPLOYED], peers)
        for name, result in list(ours.items())[:-1]:
            yield _ratio(trace, "mean_wait", "≤ 1", result, peers, name)
    worst = max(
        saved.get(f"histories {first}+{BLOCK}", lambda first=first: _worst(first))
        for first in range(0, HISTORIES, BLOCK)
    )
    yield against_limit(
        f"longest wait of a person, {HISTORIES:,} histories",
        [(worst + 1e4) / 1e4],
        1.0,
        ratio_of="1 + (wait - bound) / 10,000 s",
        unit="",
    )


def _worst(first: int) -> float:
    """Return by how much the longest wait of a block of histories exceeds the bound."""
    return max(excess(seed) for seed in range(first, first + BLOCK))


def _mean(saved: Saved, trace: Trace, name: str, half_life_seconds: float) -> Result:
    policy: Policy = PEERS[name] if name in PEERS else OURS[name]

    def result_of(seed: int) -> dict[str, float]:
        box = Simulation(week(trace, seed), policy, half_life_seconds=half_life_seconds)
        box.run()
        return asdict(Result.of(box))

    return Result.mean(
        [
            Result(**saved.get(f"{trace.name}; {name}; {seed}", lambda seed=seed: result_of(seed)))
            for seed in range(SEEDS)
        ]
    )


def _ratio(
    trace: Trace,
    value: str,
    target: str,
    ours: Result,
    peers: dict[str, Result],
    variant: str = DEPLOYED,
) -> Measurement:
    """Compare with the best peer; FIFO is fair to all by letting everybody wait."""
    others = {
        name: getattr(result, value)
        for name, result in peers.items()
        if value != "jain" or name != FIFO
    }
    best = max if target.startswith("≥") else min
    name = best(others, key=others.__getitem__)
    own, theirs = getattr(ours, value), others[name]
    return Measurement(
        f"{trace.name}: {value.replace('_', ' ')}, {variant}",
        f"ours / {name}, means of {SEEDS} weeks",
        (own / theirs,),
        target,
        own,
        theirs,
        UNITS.get(value, "h"),
    )
