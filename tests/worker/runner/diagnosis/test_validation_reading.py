"""What the answers on the validation split say of its labels."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from benchmarks.diagnostics.runs import experiment_of, filled
from tests.worker.diagnostics.test_patches import view_of
from worker.diagnostics.demos import on_digits
from worker.diagnostics.labels import label_errors
from worker.diagnostics.on_demand import Baseline
from worker.runner.diagnosis.validation_reading import read_baseline, validation_sample
from worker.training.experiment import Split


def baseline(samples: int, *, wrong: int, is_alike: bool) -> Baseline:
    """Return the reading of a network that answers with the true class.

    Args:
        samples: of the validation split that are read.
        wrong: how many of them have a wrong label.
        is_alike: whether the network finds the wrong label second, as it does for classes that
            look alike; otherwise the labels stand anywhere among its scores.
    """
    experiment = experiment_of(filled(on_digits(seed=0)))
    own = validation_sample(experiment, samples=samples)
    generator = torch.Generator().manual_seed(0)
    moves = torch.randint(1, 10, (wrong,), generator=generator)
    labels = own.labels.clone()
    labels[:wrong] = (labels[:wrong] + moves) % 10
    scores_NM: Tensor = torch.rand(len(labels), 10, generator=generator)
    if is_alike:
        scores_NM[torch.arange(len(labels)), labels.long()] = 2.0
    scores_NM[torch.arange(len(labels)), own.labels.long()] = 3.0
    return read_baseline(experiment, Split(own.images, labels, own.indices), scores_NM)


@pytest.mark.parametrize("samples", [120, 269])
def test_second_answers_are_no_wrong_labels_whatever_the_number_of_samples(
    samples: int,
) -> None:
    alike, wrong = (baseline(samples, wrong=30, is_alike=each) for each in (True, False))
    assert alike.disputed == wrong.disputed > 20
    assert alike.rank == 0.0
    assert 0.7 < wrong.rank < 1.3
    assert alike.spread == wrong.spread > 0.58, "few pairs differ, whatever they are"


def test_two_classes_have_no_rank() -> None:
    experiment = experiment_of(filled(on_digits(seed=0)))
    split = experiment.splits.validation
    binary = Split(split.images, split.labels % 2, split.indices)
    train = experiment.splits.train
    two = replace(
        experiment,
        class_names=("even", "odd"),
        splits=replace(
            experiment.splits,
            train=Split(train.images, train.labels % 2, train.indices),
            validation=binary,
        ),
    )
    scores_NM = torch.zeros(len(binary.labels), 2)
    assert read_baseline(two, binary, scores_NM).rank == 1.0


@pytest.mark.parametrize(("is_alike", "is_found"), [(True, False), (False, True)])
def test_the_rule_needs_labels_that_are_no_second_answers(is_alike: bool, is_found: bool) -> None:
    found = baseline(269, wrong=40, is_alike=is_alike)
    view = replace(view_of(filled(on_digits())), baseline=lambda: found)
    assert (label_errors(view) is not None) == is_found
