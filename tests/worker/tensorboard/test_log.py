"""What a job's event files contain, and that training does not depend on them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from shared.spec import TensorBoardSpec
from tests.worker.experiments import experiment, vgg
from tests.worker.tensorboard.event_files import read
from worker.tensorboard import log as log_module
from worker.tensorboard.log import TensorBoardLog
from worker.training.experiment import Experiment
from worker.training.fit import fit
from worker.training.reports import EpochEnded, InitialState, Report
from worker.training.state import TrainingState

#: Dropout draws random numbers in every step: if the probe drew some, the weights would differ.
FIELDS: dict[str, Any] = {
    "architecture": vgg(dropout=0.5),
    "regularizers": {"l2": {"weight": 0.001}},
}
STEPS_PER_EPOCH = 4


def _open(directory: Path, training: Experiment, **changes: Any) -> TensorBoardLog:
    arguments = {"attempt": 1, "step": None, "add_note": _refuse_note} | changes
    spec = arguments.pop("spec", TensorBoardSpec())
    return TensorBoardLog(directory, spec, training, **arguments)


def _refuse_note(text: str) -> None:
    raise AssertionError(text)


def _write(log: TensorBoardLog, reports: Iterator[Report]) -> Iterator[Report]:
    """Write each report as the runner does."""
    for report in reports:
        if isinstance(report, InitialState | EpochEnded):
            log.write_step(report.step)
        yield report


def _train(log: TensorBoardLog, training: Experiment, state: TrainingState | None = None) -> None:
    for _ in _write(log, fit(training, state=state)):
        pass
    log.close()


def test_the_log_contains_everything_at_the_start_and_after_each_epoch(tmp_path: Path) -> None:
    training = experiment(**FIELDS)
    log = _open(tmp_path, training)
    _train(log, training)
    events = read(tmp_path)
    steps = [epoch * STEPS_PER_EPOCH for epoch in range(4)]
    assert events.Tags()["scalars"] == [], "they come from the stored metrics"
    names = {name for name, _ in training.model.named_parameters()}
    for group in ("weights", "gradients"):
        shown = {tag.removeprefix(f"{group}/") for tag in events.Tags()["histograms"]}
        assert names <= shown, group
        tag = f"{group}/block1.conv1.weight"
        assert [event.step for event in events.Histograms(tag)] == steps
    (picture,) = events.Tags()["images"]
    assert picture == "first_layer/block1.conv1.weight"
    assert [event.step for event in events.Images(picture)] == steps
    assert events.Tags()["graph"]


@pytest.mark.parametrize("group", ["weights", "gradients"])
def test_histograms_that_were_not_requested_are_left_out(tmp_path: Path, group: str) -> None:
    training = experiment(**FIELDS)
    other = {"weights": "histograms", "gradients": "gradients"}[group]
    _train(_open(tmp_path, training, spec=TensorBoardSpec(**{other: False})), training)
    tags = read(tmp_path).Tags()["histograms"]
    assert tags
    assert not any(tag.startswith(f"{group}/") for tag in tags)


def test_training_is_bit_for_bit_the_same_with_and_without_a_log(tmp_path: Path) -> None:
    without, with_log = experiment(**FIELDS), experiment(**FIELDS)
    for _ in fit(without):
        pass
    _train(_open(tmp_path, with_log), with_log)
    expected = without.model.state_dict()
    for name, tensor in with_log.model.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_steps_that_are_trained_again_appear_once(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    training = experiment(**FIELDS)
    _train(_open(whole, training), training)

    broken, state = tmp_path / "broken", None
    training = experiment(**FIELDS)
    log, ended = _open(broken, training), 0
    for report in _write(log, fit(training)):
        if isinstance(report, EpochEnded):
            ended += 1
            if ended == 1:
                state = report.snapshot()
            if ended == 2:
                break  # after its events were written and before its checkpoint
    log.close()
    assert state is not None
    training = experiment(**FIELDS)
    log = _open(broken, training, attempt=2, step=state.step)
    _train(log, training, state)

    tag = "weights/head.output.weight"
    histograms = [
        [(event.step, event.histogram_value) for event in read(directory).Histograms(tag)]
        for directory in (broken, whole)
    ]
    assert histograms[0] == histograms[1]
    assert [step for step, _ in histograms[0]] == [0, 4, 8, 12]


def test_an_attempt_from_scratch_deletes_the_files_of_earlier_attempts(tmp_path: Path) -> None:
    for attempt in (1, 2):
        training = experiment(**FIELDS)
        _train(_open(tmp_path, training, attempt=attempt), training)
    assert len([*tmp_path.iterdir()]) == 1


def test_a_full_disk_is_noted_once_and_does_not_stop_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    training, notes = experiment(**FIELDS), []
    log = _open(tmp_path, training, add_note=notes.append)
    monkeypatch.setattr(log_module.EventFile, "summary", full)
    _train(log, training)
    assert len(notes) == 1
    assert "No space left" in notes[0]
