"""What a job's event files hold, and that nothing of a training depends on them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from shared.spec import TensorBoardSpec
from tests.worker.experiments import experiment, vgg
from tests.worker.tensorboard.reading import read, scalars
from worker.tensorboard import log as module
from worker.tensorboard.log import TensorBoardLog
from worker.training.experiment import Experiment
from worker.training.fit import fit
from worker.training.reports import EpochEnded, InitialState, Report
from worker.training.state import TrainingState

#: Dropout draws in every step: a probe that draws too would be seen in the weights.
FIELDS: dict[str, Any] = {
    "architecture": vgg(dropout=0.5),
    "regularizers": {"l2": {"weight": 0.001}},
}
STEPS_AN_EPOCH = 4


def _board(directory: Path, training: Experiment, **changes: Any) -> TensorBoardLog:
    given = {"attempt": 1, "step": None, "tell": _silent} | changes
    return TensorBoardLog(directory, given.pop("asked", TensorBoardSpec()), training, **given)


def _silent(_: str) -> None:
    raise AssertionError("there is nothing to tell")


def _shown(board: TensorBoardLog, reports: Iterator[Report]) -> Iterator[Report]:
    """As the runner does it."""
    for report in reports:
        if isinstance(report, InitialState):
            board.show(report.step, {})
        elif isinstance(report, EpochEnded):
            board.show(report.step, report.metrics)
        yield report


def _train(board: TensorBoardLog, training: Experiment, state: TrainingState | None = None) -> None:
    for _ in _shown(board, fit(training, state=state)):
        pass
    board.close()


def test_everything_asked_for_is_there_at_the_start_and_after_each_epoch(tmp_path: Path) -> None:
    training = experiment(**FIELDS)
    board = _board(tmp_path, training)
    _train(board, training)
    board.finish(3 * STEPS_AN_EPOCH, {"test_accuracy": 0.5})
    found = read(tmp_path)
    steps = [epoch * STEPS_AN_EPOCH for epoch in range(4)]
    assert [event.step for event in found.Scalars("loss/val_loss")] == steps[1:]
    assert [event.step for event in found.Scalars("learning_rate/learning_rate")] == steps[1:]
    assert [(event.step, event.value) for event in found.Scalars("accuracy/test_accuracy")] == [
        (steps[-1], 0.5)
    ]
    names = {name for name, _ in training.model.named_parameters()}
    for group in ("weights", "gradients"):
        shown = {tag.removeprefix(f"{group}/") for tag in found.Tags()["histograms"]}
        assert names <= shown, group
        tag = f"{group}/block1.conv1.weight"
        assert [event.step for event in found.Histograms(tag)] == steps
    (picture,) = found.Tags()["images"]
    assert picture == "first_layer/block1.conv1.weight"
    assert [event.step for event in found.Images(picture)] == steps
    assert found.Tags()["graph"]


@pytest.mark.parametrize("group", ["weights", "gradients"])
def test_what_was_not_asked_for_is_left_out(tmp_path: Path, group: str) -> None:
    training = experiment(**FIELDS)
    other = {"weights": "histograms", "gradients": "gradients"}[group]
    _train(_board(tmp_path, training, asked=TensorBoardSpec(**{other: False})), training)
    tags = read(tmp_path).Tags()["histograms"]
    assert tags
    assert not any(tag.startswith(f"{group}/") for tag in tags)


def test_a_training_that_is_looked_at_is_bit_for_bit_the_one_that_is_not(tmp_path: Path) -> None:
    unseen, seen = experiment(**FIELDS), experiment(**FIELDS)
    for _ in fit(unseen):
        pass
    _train(_board(tmp_path, seen), seen)
    expected = unseen.model.state_dict()
    for name, tensor in seen.model.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_steps_that_are_trained_again_are_shown_once(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    training = experiment(**FIELDS)
    _train(_board(whole, training), training)

    broken, state = tmp_path / "broken", None
    training = experiment(**FIELDS)
    board, ended = _board(broken, training), 0
    for report in _shown(board, fit(training)):
        if isinstance(report, EpochEnded):
            ended += 1
            if ended == 1:
                state = report.snapshot()
            if ended == 2:
                break  # after it was shown, before it was kept
    board.close()
    assert state is not None
    training = experiment(**FIELDS)
    board = _board(broken, training, attempt=2, step=state.step)
    _train(board, training, state)

    tag = "loss/val_loss"
    assert scalars(broken, tag) == scalars(whole, tag)
    assert [event.step for event in read(broken).Histograms("weights/head.output.weight")] == [
        0,
        *(epoch * STEPS_AN_EPOCH for epoch in (1, 2, 3)),
    ]


def test_an_attempt_that_starts_anew_leaves_nothing_of_an_earlier_one(tmp_path: Path) -> None:
    for attempt in (1, 2):
        training = experiment(**FIELDS)
        _train(_board(tmp_path, training, attempt=attempt), training)
    assert len([*tmp_path.iterdir()]) == 1


def test_a_full_disk_is_told_once_and_stops_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    training, told = experiment(**FIELDS), []
    board = _board(tmp_path, training, tell=told.append)
    monkeypatch.setattr(module.EventFile, "summary", full)
    _train(board, training)
    board.finish(12, {"test_accuracy": 0.5})
    assert len(told) == 1
    assert "No space left" in told[0]
