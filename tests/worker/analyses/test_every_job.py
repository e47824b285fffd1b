"""Every kind of analysis works, or is refused, for every kind of job."""

from typing import Any

import pytest
import torch

from tests.worker.analyses.subjects import analyse, digits, subject
from tests.worker.experiments import data, experiment, spec, vgg
from worker.analyses.subject import AnalysisRefused, Subject
from worker.build import build
from worker.data.job_data import Data
from worker.registry import analyses
from worker.training.experiment import Experiment, Split, Splits

#: Parameters with which each kind is short.
SHORT: dict[str, dict[str, Any]] = {
    "curvature": {"samples": 16, "iterations": 3, "probes": 1},
    "loss_surface": {"samples": 8, "directions": 1, "points": 3, "grid": 3},
    "loss_path": {"samples": 8, "points": 3},
    "loss_estimate": {"resamples": 100},
    "label_errors": {},
}


class OnHost:
    """Images that are read when they are needed."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images = images
        self.shape = tuple(images.shape)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, samples: Any) -> torch.Tensor:
        return self.images[samples].contiguous(memory_format=torch.channels_last)


def _fine_tuned() -> Experiment:
    stages = [
        {"name": "warm_up", "train": "head", "epochs": 1},
        {"name": "whole", "train": "all", "epochs": 1, "batch_norm": "frozen"},
    ]
    head = {"hidden_units": [8], "dropout": 0.5}
    return experiment(
        architecture=vgg(batch_norm=True), fine_tuning={"head": head, "stages": stages}
    )


def _of_numbers(scans: Data) -> Data:
    parts = (scans.splits.train, scans.splits.validation, scans.splits.test)
    return Data((), Splits(*(Split(p.images, p.labels.float() / 9, p.indices) for p in parts)))


def _regression() -> Experiment:
    return build(spec(architecture="mlp", loss="l1", checkpoints=[]), _of_numbers(digits()))


def _table() -> Experiment:
    def part(count: int) -> Split:
        rows = torch.randn(count, 3, 1, 1, dtype=torch.float64) * 1e6
        return Split(rows, torch.arange(count) % 2, torch.arange(count))

    table = Data(("no", "yes"), Splits(part(64), part(20), part(20)), ("a", "b", "c"))
    return build(spec(architecture="mlp", loss="logistic"), table)


def _host() -> Experiment:
    scans = digits()

    def part(own: Split) -> Split:
        images: Any = OnHost(own.images[:])
        return Split(images, own.labels, own.indices)

    splits = Splits(*(part(p) for p in vars(scans.splits).values()))
    normalized = {"name": "digits", "normalization": "unit"}
    return build(spec(dataset=normalized, architecture="mlp"), Data(scans.class_names, splits))


JOBS: dict[str, Any] = {
    "everything": lambda: experiment(
        architecture=vgg(batch_norm=True),
        regularizers={"l1": {}, "l2": {}, "label_smoothing": {}, "mixup": {}, "vat": {}},
        augmentation={"horizontal_flip": {}},
        loss={"name": "cross_entropy", "class_weights": "balanced"},
    ),
    "bfloat16": lambda: experiment(architecture=vgg(), training={"precision": "bfloat16"}),
    "fine-tuned": _fine_tuned,
    "hinge": lambda: experiment(architecture="linear", loss="hinge"),
    "on the host": _host,
    "regression": _regression,
    "table": _table,
}


def _subject(training: Experiment, stage: int) -> Subject:
    state = {name: t.clone() for name, t in training.model.state_dict().items()}
    analysed = subject(training, load_weights=lambda _: state)
    return type(analysed)(**{**vars(analysed), "stage": training.stages[stage]})


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("kind", sorted(analyses.entries()))
def test_a_job_is_analysed(job: str, kind: str) -> None:
    training = JOBS[job]()
    before = {name: tensor.clone() for name, tensor in training.model.state_dict().items()}
    for stage in range(len(training.stages)):
        if analyses.get(kind).facts.get("needs_classes") and not training.class_names:
            with pytest.raises(AnalysisRefused):
                analyse(kind, _subject(training, stage), **SHORT[kind])
            continue
        outcome = analyse(kind, _subject(training, stage), **SHORT[kind])
        assert outcome.summary
        _draw(outcome)
    after = training.model.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def _draw(outcome: Any) -> None:
    from matplotlib.figure import Figure  # noqa: PLC0415

    for picture in outcome.pictures:
        drawing = Figure(layout="constrained")
        picture.draw(drawing)
        assert drawing.axes


@pytest.mark.parametrize("architecture", ["efficientnet_lite0", "densenet121"])
def test_the_curvature_of_a_large_network_is_computed_in_float32(architecture: str) -> None:
    training = experiment(architecture=architecture, bundle=data(train=8, size=32))
    outcome = analyse("curvature", subject(training), samples=8, iterations=2, probes=0)
    assert outcome.result["precision"] == "float32"
    assert outcome.result["lambda_max"]["value"] > 0
