"""The simulated week, at a small scale: `make bench ONLY=sharing` runs it at full size."""

from pathlib import Path

import pytest

from benchmarks.sharing.histories import excess
from benchmarks.sharing.ours import SHARED, Ours
from benchmarks.sharing.peers import PEERS
from benchmarks.sharing.results import Result
from benchmarks.sharing.saved import Saved
from benchmarks.sharing.simulator import Policy, Simulation
from benchmarks.sharing.workload import CLASSROOM, week


def _run(policy: Policy, seed: int) -> Simulation:
    box = Simulation(week(CLASSROOM, seed)[:150], policy, half_life_seconds=86_400.0)
    box.run()
    return box


def test_people_wait_less_than_first_in_first_out() -> None:
    ours = Result.of(_run(Ours(SHARED), 0))
    fifo = Result.of(_run(PEERS["FIFO, whole devices"], 0))
    assert ours.mean_wait < fifo.mean_wait
    assert ours.wait_of_light_users < fifo.wait_of_light_users


@pytest.mark.parametrize("policy", [Ours(SHARED), PEERS["jobd-like"]], ids=["ours", "jobd-like"])
def test_all_jobs_end_and_what_is_charged_is_what_devices_were_busy(policy: Policy) -> None:
    box = _run(policy, 1)
    assert all(job.ended_at is not None for job in box.jobs)
    assert box.charged == pytest.approx(box.busy, rel=1e-9)


@pytest.mark.parametrize("seed", [28, 43])
def test_nobody_waits_longer_than_the_proved_bound(seed: int) -> None:
    assert excess(seed) <= 0


def test_a_stopped_benchmark_continues_with_what_it_has_computed(tmp_path: Path) -> None:
    path = tmp_path / "home" / "saved.jsonl"
    computed: list[str] = []

    def compute(name: str) -> float:
        computed.append(name)
        return len(computed) / 2

    for end in ("", '["c", 3.', '["c", 3.'):  # stopped while a line was written
        saved = Saved(path)
        assert [saved.get(name, lambda name=name: compute(name)) for name in "ab"] == [0.5, 1.0]
        with path.open("a") as file:
            file.write(end)
    assert computed == ["a", "b"]
