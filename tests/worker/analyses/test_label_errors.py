"""Label errors that were planted, and the equations of confident learning."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.worker.analyses.subjects import analyse, digits, subject, trained
from worker.analyses import label_errors
from worker.analyses.label_errors import calibrated, class_thresholds, confident_joint
from worker.analyses.subject import AnalysisRefused
from worker.training.experiment import Experiment, Split


def _with_labels(training: Experiment, labels_N: Tensor) -> Experiment:
    validation = replace(training.splits.test, labels=labels_N)
    return replace(training, splits=replace(training.splits, validation=validation))


def _flipped(share: float) -> tuple[Experiment, set[int]]:
    """Return a trained network with wrong labels in its validation split, and their indices."""
    training = trained(train=1200)
    labels_N = training.splits.test.labels.clone()
    wrong = torch.randperm(100, generator=torch.Generator().manual_seed(3))[: int(100 * share)]
    labels_N[wrong] = (labels_N[wrong] + 3) % 10
    return _with_labels(training, labels_N), set(training.splits.test.indices[wrong].tolist())


def test_most_planted_errors_are_found_and_few_others() -> None:
    training, planted = _flipped(0.2)
    result = analyse("label_errors", subject(training)).result
    found = {issue["sample"] for issue in result["issues"]}
    assert len(found & planted) >= 0.8 * len(planted)
    assert len(found - planted) <= 0.3 * len(planted)
    assert result["estimated_errors"] == pytest.approx(20, abs=8)


def test_five_percent_of_planted_errors_are_found_next_to_errors_of_the_network() -> None:
    training, scans = trained(train=1200), digits(train=1597).splits.train
    unseen = Split(scans.images[1200:], scans.labels[1200:].clone(), scans.indices[1200:])
    total = len(unseen.labels)
    wrong = torch.randperm(total, generator=torch.Generator().manual_seed(0))[: total // 20]
    unseen.labels[wrong] = (unseen.labels[wrong] + 3) % 10
    judged = replace(training, splits=replace(training.splits, validation=unseen))
    outcome = analyse("label_errors", subject(judged))
    found = {issue["sample"] for issue in outcome.result["issues"]}
    planted = set(unseen.indices[wrong].tolist())
    assert len(found & planted) >= 0.75 * len(planted)
    disagreement = 1 - outcome.result["accuracy"]
    assert len(found) <= disagreement * total
    assert any("its own errors look the same" in sentence for sentence in outcome.summary)


def test_the_worst_come_first_with_the_right_suggestion() -> None:
    training, planted = _flipped(0.2)
    issues = analyse("label_errors", subject(training), limit=10).result["issues"]
    assert len(issues) == 10
    assert sum(issue["sample"] in planted for issue in issues) >= 9
    right = [issue for issue in issues if (int(issue["suggested"]) + 3) % 10 == int(issue["label"])]
    assert len(right) >= 9
    margins = [issue["suggested_probability"] - issue["label_probability"] for issue in issues]
    assert margins == sorted(margins, reverse=True)


def test_clean_labels_have_few_errors() -> None:
    training, _ = _flipped(0.0)
    result = analyse("label_errors", subject(training)).result
    assert result["accuracy"] > 0.85
    assert result["estimated_share"] < 0.1


@pytest.mark.parametrize(
    ("found", "end"),
    [
        (0, "none is certain enough to be named."),
        (1, "1 sample is named."),
        (3, "3 samples are named, the most certain first."),
    ],
)
def test_the_first_sentence_says_how_many_samples_are_named(found: int, end: str) -> None:
    result: dict[str, Any] = {
        "samples": 100,
        "found": found,
        "estimated_errors": found,
        "estimated_share": 0.0,
    }
    result |= {"split": "validation", "classes": [], "joint": [], "accuracy": 1.0}
    assert next(label_errors._sentences(result)).endswith(f"to be wrong; {end}")


def test_the_thresholds_and_the_joint_follow_their_equations() -> None:
    probabilities = torch.tensor(
        [[0.9, 0.1, 0.0], [0.7, 0.3, 0.0], [0.2, 0.8, 0.0], [0.1, 0.9, 0.0], [0.3, 0.7, 0.0]],
        dtype=torch.float64,
    )
    labels = torch.tensor([0, 0, 0, 1, 1])
    thresholds = class_thresholds(probabilities, labels)
    assert thresholds.tolist() == pytest.approx([0.6, 0.8, torch.inf])
    joint = confident_joint(probabilities, labels, thresholds)
    assert joint.tolist() == [[2, 1, 0], [0, 1, 0], [0, 0, 0]], "the last sample is below both"
    counts = calibrated(joint, torch.tensor([3, 2, 0]))
    assert counts.sum(1).tolist() == [3, 2, 0]
    assert counts[0].tolist() == pytest.approx([2, 1, 0])


def test_training_labels_and_weak_networks_are_called_unreliable() -> None:
    in_sample = analyse("label_errors", subject(trained()), split="train")
    assert not in_sample.result["is_reliable"]
    assert any("seen these labels" in sentence for sentence in in_sample.summary)
    weak = analyse("label_errors", subject(trained(epochs=1)))
    assert weak.result["accuracy"] < 0.6
    assert not weak.result["is_reliable"]
    assert any("too little" in sentence for sentence in weak.summary)


def test_a_regression_is_refused() -> None:
    training = replace(trained(), class_names=(), checkpoints=type(trained().checkpoints)())
    with pytest.raises(AnalysisRefused, match="need classes"):
        analyse("label_errors", subject(training))


def test_scores_that_are_not_finite_are_never_named() -> None:
    training, _ = _flipped(0.2)
    broken = subject(training)
    model: Any = training.model
    hook = model.register_forward_hook(lambda *a: a[2].index_fill(0, torch.arange(5), torch.nan))
    try:
        result = analyse("label_errors", broken).result
    finally:
        hook.remove()
    first = set(training.splits.validation.indices[:5].tolist())
    assert not first & {issue["sample"] for issue in result["issues"]}


def test_pictures_are_drawn() -> None:
    from matplotlib.figure import Figure  # noqa: PLC0415

    training, _ = _flipped(0.2)
    pictures = analyse("label_errors", subject(training)).pictures
    assert [picture.name for picture in pictures] == ["joint", "samples"]
    for picture in pictures:
        drawing = Figure(layout="constrained")
        picture.draw(drawing)
        assert drawing.axes
