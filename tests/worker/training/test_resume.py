"""A job that resumes from a checkpoint ends in the same bits as without a stop."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.worker.experiments import data, experiment, vgg
from worker.training.checkpoint import load, save
from worker.training.experiment import Experiment
from worker.training.fit import fit
from worker.training.reports import EpochEnded, Fitted, InitialState, StageEnded, Stepped
from worker.training.stage_end import StageEnd
from worker.training.state import TrainingState

FIELDS: dict[str, dict[str, Any]] = {
    "everything": {
        "architecture": vgg(),
        "optimizer": {
            "name": "sgd",
            "nesterov": True,
            "schedule": {"name": "cosine", "warmup": 3},
            "gradient_clipping": {"global_norm": 2.0},
        },
        "regularizers": {"l2": {"weight": 0.001}, "label_smoothing": {"alpha": 0.1}},
    },
    "adam": {
        "architecture": vgg(),
        "optimizer": {
            "name": "adam",
            "learning_rate": 0.001,
            "schedule": {"name": "cosine", "warmup": 2},
        },
    },
    "adamw": {"architecture": vgg(), "optimizer": {"name": "adamw", "learning_rate": 0.001}},
    "adagrad": {"architecture": vgg(), "optimizer": "adagrad"},
    "rmsprop": {
        "architecture": vgg(),
        "optimizer": {"name": "rmsprop", "learning_rate": 0.001, "momentum": 0.5},
    },
    "mixup": {
        "architecture": vgg(dropout=0.5),
        "regularizers": {"mixup": {"alpha": 0.5}, "label_smoothing": {"alpha": 0.1}},
    },
    "vat": {"architecture": vgg(dropout=0.5), "regularizers": {"vat": {}}},
    "plateau": {
        "architecture": vgg(),
        "optimizer": {
            "name": "sgd",
            "schedule": {
                "name": "reduce_on_plateau",
                "mode": "max",
                "patience": 1,
                "cooldown": 1,
                "factor": 0.5,
            },
        },
        "training": {"epochs": 5},
    },
    "float16": {"architecture": vgg(dropout=0.5), "training": {"precision": "float16"}},
    "stopped early": {
        "architecture": vgg(),
        "training": {
            "epochs": 6,
            "early_stopping": {
                "monitor": "val_loss",
                "mode": "max",
                "patience": 2,
                "restore_best": True,
            },
        },
    },
}
#: Metrics of wall-clock time are exempt from exactness.
CLOCKS = {"seconds", "images_per_second"}


def _experiment(kind: str) -> Experiment:
    training = experiment(bundle=data(train=27), **FIELDS[kind])
    if kind == "adam":  # and in two stages
        stage = replace(training.stages[0], epochs=1)
        training = replace(training, stages=(stage, replace(stage, name="second", epochs=2)))
    return training


def _run(
    training: Experiment, state: TrainingState | None = None
) -> tuple[dict[int, dict[str, float]], TrainingState, list[StageEnd]]:
    """Return metrics by epoch, the final state, and how the stages ended."""
    metrics: dict[int, dict[str, float]] = {}
    stages: list[StageEnd] = []
    for report in fit(training, state=state):
        if isinstance(report, EpochEnded):
            metrics[report.epoch] = {
                **{name: v for name, v in report.metrics.items() if name not in CLOCKS},
                **dict.fromkeys(report.checkpoint_keys, 1.0),
            }
        if isinstance(report, StageEnded):
            stages.append(report.end)
        if isinstance(report, Fitted):
            return metrics, report.snapshot(), stages
    raise AssertionError("The job did not end.")


def _states(kind: str) -> dict[str, TrainingState]:
    """Return the state at every boundary at which a job can be stopped."""
    states: dict[str, TrainingState] = {}
    for report in fit(_experiment(kind)):
        if isinstance(report, InitialState | Stepped | EpochEnded):
            states[f"{type(report).__name__} {report.step}"] = report.snapshot()
    return states


@pytest.mark.parametrize("kind", list(FIELDS))
def test_resume_from_every_boundary_ends_in_the_same_bits(kind: str, tmp_path: Path) -> None:
    metrics, final, stages = _run(_experiment(kind))
    states = _states(kind)
    assert len(states) >= 13
    for number, (name, state) in enumerate(states.items()):
        directory = tmp_path / str(number)
        save(state, directory)
        again, end, stages_again = _run(_experiment(kind), load(directory))
        for tensor, expected in final.model.items():
            assert torch.equal(end.model[tensor], expected), (name, tensor)
        assert {epoch: metrics[epoch] for epoch in again} == again, name
        assert (end.best, end.patience, end.position) == (
            final.best,
            final.patience,
            final.position,
        ), name
        assert stages[-len(stages_again) :] == stages_again, name
        assert end.schedule == final.schedule, name


def test_plateau_takes_effect_here() -> None:
    metrics, _, _ = _run(_experiment("plateau"))
    assert len({epoch["learning_rate"] for epoch in metrics.values()}) > 1


def test_early_stopping_takes_effect_here() -> None:
    _, final, stages = _run(_experiment("stopped early"))
    ends = [(end.stage, end.reason, end.restored) for end in stages]
    assert ends == [("training", "early_stopping", True)]
    assert final.epoch == 3


def test_dropout_takes_effect_here() -> None:
    """Otherwise the test above could not notice another mask after a resume."""
    bits = [
        _run(experiment(architecture=vgg(dropout=rate)))[1].model["head.output.weight"]
        for rate in (0.0, 0.5)
    ]
    assert not torch.equal(*bits)


def test_finished_training_only_reports_its_end() -> None:
    _, final, _ = _run(_experiment("everything"))
    reports = list(fit(_experiment("everything"), state=final))
    assert [type(report).__name__ for report in reports] == ["Fitted"]


def test_state_of_another_network_is_refused() -> None:
    _, final, _ = _run(experiment(architecture="linear", training={"epochs": 1}))
    with pytest.raises(ValueError, match="belongs to another network"):
        next(fit(experiment(architecture="mlp"), state=final))
