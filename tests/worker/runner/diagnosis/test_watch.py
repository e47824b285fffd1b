"""The watch changes nothing in a training, survives its own faults, and resumes exactly."""

from typing import Any

import pytest
import torch

from benchmarks.diagnostics.runs import Run, run
from tests.worker.runner.jobs import Jobs
from worker.assignment import ExitCode
from worker.diagnostics.demos import mlp, on_digits
from worker.diagnostics.symptom import Symptom
from worker.diagnostics.view import View
from worker.registry import diagnostics
from worker.runner.diagnosis import budget as budget_module
from worker.runner.diagnosis import watch as watch_module
from worker.runner.diagnosis.budget import Budget

FAULTY = on_digits(
    architecture=mlp(10, 64, activation="sigmoid"), initializer={"name": "normal", "scale": 0.05}
)
#: Draws random numbers in every way that a training can, and has buffers.
RANDOM = on_digits(
    architecture=mlp(2, 32, dropout=0.3, batch_norm=True),
    regularizers={"mixup": 0.2, "l2": 0.001},
    augmentation={"rotation": 5},
    training={"epochs": 3},
)
#: Its finding opens after the tenth step.
TOO_LARGE_STEPS = on_digits(
    optimizer={"name": "sgd", "learning_rate": 1.0},
    training={"epochs": 1},
    diagnostics={"rules": {"weight_update_ratio": {"highest": -5.0}}},
)
#: Also runs the range test, in standard mode.
TOO_FAST = on_digits(optimizer={"name": "sgd", "learning_rate": 10.0}, training={"epochs": 2})


def _run(spec: dict[str, Any], mode: str) -> Run:
    return run({**spec, "diagnostics": mode})


@pytest.mark.parametrize("spec", [RANDOM, TOO_FAST], ids=["random", "range test"])
def test_weights_are_the_same_bits_with_the_watch_off_standard_and_full(
    spec: dict[str, Any],
) -> None:
    off, standard, full = (_run(spec, mode) for mode in ("off", "standard", "full"))
    for watched in (standard, full):
        assert watched.weights.keys() == off.weights.keys()
        assert all(torch.equal(watched.weights[name], off.weights[name]) for name in off.weights)
        clocks = {"seconds", "images_per_second"}
        assert [{k: v for k, v in e.items() if k not in clocks} for e in watched.epochs] == [
            {k: v for k, v in e.items() if k not in clocks} for e in off.epochs
        ]


def test_deep_sigmoid_network_is_explained_in_a_sentence() -> None:
    found = run(FAULTY)
    assert found.roots == ["vanishing_gradient"]
    assert found.headline is not None
    assert "(guessing among 10 classes)" in found.headline
    assert "trainshed fork job_1 --finding fnd_" in found.headline


def test_finding_stays_open_while_the_budget_allows_no_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a busy machine readings are left out; what was not measured resolves nothing."""
    monkeypatch.setattr(Budget, "allows_reading", property(lambda _: False))
    found = run({**FAULTY, "training": {"epochs": 4}})
    assert found.roots[:1] == ["vanishing_gradient"]


def test_healthy_network_has_no_findings() -> None:
    found = run(on_digits())
    assert found.findings == []
    assert found.headline is None


@pytest.fixture
def _registry_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnostics, "_entries", diagnostics.entries())


@pytest.mark.usefixtures("_registry_is_restored")
def test_a_rule_that_raises_is_switched_off_and_reported() -> None:
    calls: list[int] = []

    @diagnostics.register(source="a test", when=["start", "step", "epoch"], reasons=[], causes=[])
    def broken_rule(view: View, /) -> Symptom | None:
        """Divide by zero."""
        calls.append(view.step)
        raise ZeroDivisionError

    found = run(on_digits(training={"epochs": 2}))
    assert len(found.epochs) == 2
    assert calls == [0]
    (row,) = found.findings
    assert (row.rule, row.severity) == ("broken_rule", "info")
    assert "ZeroDivisionError" in row.data["sentence"]
    assert found.headline is None


def test_a_watch_that_raises_ends_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(watch_module, "read_data", fail)
    monkeypatch.setattr(watch_module.Measurements, "add_epoch", fail)
    assert len(run(on_digits(training={"epochs": 2})).epochs) == 2


@pytest.mark.usefixtures("_registry_is_restored")
def test_a_rule_that_is_switched_off_finds_nothing() -> None:
    rules = {"vanishing_gradient": False, "loss_not_decreasing": {"chance": 1.0}}
    found = run({**FAULTY, "diagnostics": {"rules": rules}})
    assert "vanishing_gradient" not in found.rules()


def _findings(jobs: Jobs, job_id: str) -> list[dict[str, Any]]:
    """Return the findings without their ids, which differ from job to job."""
    rows = jobs.findings(job_id)
    rules = {row.id: row.rule for row in rows}
    return [
        {
            **{k: v for k, v in vars(row).items() if k not in ("id", "job_id")},
            "because_of": rules.get(row.because_of or ""),
            "data": {k: v for k, v in row.data.items() if k != "patches"},
        }
        for row in rows
    ]


@pytest.mark.parametrize("steps", [[1], [20, 21], [50], [97, 240]])
def test_findings_after_a_resume_are_those_without_a_stop(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, steps: list[int]
) -> None:
    """With time for every reading: how many a budget allows depends on the machine."""
    monkeypatch.setattr(budget_module, "FLOOR_SECONDS", 3600.0)
    undisturbed = jobs.submit(FAULTY)
    assert jobs.run() == ExitCode.DONE
    stopped = jobs.submit(FAULTY)
    for step in steps:
        assert jobs.run(drain_at=step) == ExitCode.DRAINED
    assert jobs.run() == ExitCode.DONE
    assert _findings(jobs, stopped) == _findings(jobs, undisturbed)
    assert len(_findings(jobs, undisturbed)) == 7
    first, second = jobs.job(stopped), jobs.job(undisturbed)
    assert first.findings == second.findings == {"error": 1, "warning": 0, "info": 6}


def test_patches_after_a_resume_are_those_without_a_stop(jobs: Jobs) -> None:
    """The finding opens after the resume; the range test starts from the initial weights."""
    undisturbed, stopped = jobs.submit(TOO_LARGE_STEPS), jobs.submit(TOO_LARGE_STEPS)
    assert jobs.run() == ExitCode.DONE
    assert jobs.run(drain_at=5) == ExitCode.DRAINED
    assert jobs.run() == ExitCode.DONE
    first, second = (_patches(jobs, job_id) for job_id in (undisturbed, stopped))
    assert "lower_learning_rate" in {name for name, _ in first}
    assert first == second


def _patches(jobs: Jobs, job_id: str) -> list[tuple[str, Any]]:
    return [
        (patch["name"], patch["operations"])
        for row in jobs.findings(job_id)
        if row.rule == "weight_update_ratio"
        for patch in row.data["patches"]
    ]


def test_an_error_ends_the_job_if_it_asks_for_that(jobs: Jobs) -> None:
    job_id = jobs.submit({**FAULTY, "diagnostics": {"on_error": "stop"}})
    failure = jobs.failure_of(job_id)
    assert failure.kind == "diagnosed"
    assert "The job ended at step 1 of 240, which saves 239 steps." in failure.message
    assert "relu with he_normal" in failure.hint
    assert f"`trainshed fork {job_id} --finding fnd_" in failure.hint
    assert jobs.steps(job_id)["last"] == 1
