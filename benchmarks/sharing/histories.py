"""Adversarial histories: owners who never stop submitting, against the proved bound of a wait.

A person's first job starts within W + N·(Q + c) of the person's last start, or of the time when an
earlier job of the person ran, for N owners, the overdue time W, the quantum Q and the switch c. An
overdue job also waits up to a minute for a device that frees by itself. Decisions are made at ticks, which add one tick to
each of these times. A job of high priority does not give way, so its time limit counts for Q.
"""

import random
from dataclasses import replace

from benchmarks.sharing.ours import SHARED, Ours
from benchmarks.sharing.simulator import SWITCH_SECONDS, Simulation
from benchmarks.sharing.workload import DEVICE_MIB, SimulatedJob
from shared.jobs.planning.yielding import SOON_SECONDS

OVERDUE_SECONDS, QUANTUM_SECONDS, TICK_SECONDS = 3_600.0, 400.0, 40.0
HIGH_SECONDS = 600.0
POLICY = replace(SHARED, overdue_seconds=OVERDUE_SECONDS, quantum_seconds=QUANTUM_SECONDS)


def excess(seed: int) -> float:
    """Return by how many seconds the longest wait of a random history exceeds the bound."""
    draw = random.Random(seed)
    devices, owners = draw.randint(1, 4), draw.randint(2, 5)
    policy = replace(POLICY, time_sharing=draw.choice(["exact", "all"]))
    box = Simulation(
        _submissions(draw, devices, owners),
        Ours(policy),
        half_life_seconds=draw.choice([3_600.0, 86_400.0]),
        devices=devices,
        tick_seconds=TICK_SECONDS,
        end_seconds=6 * OVERDUE_SECONDS,
    )
    box.run()
    turn = max(QUANTUM_SECONDS, HIGH_SECONDS) + SWITCH_SECONDS + TICK_SECONDS
    bound = OVERDUE_SECONDS + TICK_SECONDS + SOON_SECONDS + owners * turn
    return max(box.longest_unserved, box.longest_waiting()) - bound


def _submissions(draw: random.Random, devices: int, owners: int) -> list[SimulatedJob]:
    """Return jobs of owners who each have a habit: how often, how long, how wide, how urgent."""
    jobs: list[SimulatedJob] = []
    for owner in range(owners):
        gpus = draw.randint(1, devices)
        seconds = draw.choice([60.0, 500.0, 5_000.0, 50_000.0])
        priority = draw.choice([-10, 0, 0, 10])
        if priority > 0:
            seconds = min(seconds, HIGH_SECONDS - TICK_SECONDS)
        at = draw.random() * 2 * OVERDUE_SECONDS
        while at < 4 * OVERDUE_SECONDS and len(jobs) < 60:
            jobs.append(_job(draw, f"person{owner}", at, seconds, gpus, priority))
            at += draw.expovariate(1 / max(300.0, draw.choice([0.5, 1.0]) * seconds))
    jobs.sort(key=lambda job: job.submitted_at)
    for number, job in enumerate(jobs):
        job.id = f"job_{number:06}"
    return jobs


def _job(
    draw: random.Random, owner: str, at: float, seconds: float, gpus: int, priority: int
) -> SimulatedJob:
    predicted = seconds * draw.choice([0.25, 1.0, 4.0])
    return SimulatedJob(
        id="",
        owner=owner,
        submitted_at=at,
        seconds=seconds,
        gpus=gpus,
        memory_mib=DEVICE_MIB * draw.choice([0.1, 0.4, 0.8]),
        utilization=draw.random(),
        priority=priority,
        predicted_p50=predicted,
        predicted_p90=2 * predicted,
        limit_seconds=seconds,
        own_error=1.0,
    )
