"""What is said of a checkpoint's samples says the same everywhere."""

from pathlib import Path

import pytest
import torch

from shared import predictions
from shared.storage import Storage
from tests.shared.rows import checkpoint_row
from tests.worker.experiments import experiment
from tests.worker.training.test_evaluation import Fixed
from worker.runner.results.classification import MOST_MISTAKES, classification_result
from worker.runner.results.result import CheckpointResult
from worker.training.evaluation import evaluate_classification
from worker.training.experiment import Split

FIRST = 50
NAN = float("nan")


def _outcome(
    storage: Storage, scores_NM: torch.Tensor, labels: list[int], *ks: int
) -> CheckpointResult:
    """Evaluate fixed scores; the samples are numbered from `FIRST`."""
    images = torch.zeros(len(labels), 3, 8, 8, dtype=torch.uint8)
    split = Split(images, torch.tensor(labels), torch.arange(len(labels)) + FIRST)
    training = experiment()
    row = checkpoint_row("last", 1)
    evaluation = evaluate_classification(training, Fixed(scores_NM), split, ks)
    return classification_result(evaluation, training.class_names, storage, "job", row)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """An empty storage."""
    return Storage(tmp_path)


def test_mistakes_are_the_wrong_samples_the_surest_first(storage: Storage) -> None:
    scores_NM = torch.zeros(4, 6)
    scores_NM[0, 0] = 9.0  # right
    scores_NM[1, 1], scores_NM[2, 2] = 3.0, 6.0  # wrong, and wrong with more confidence
    scores_NM[3, 5] = NAN  # wrong, with none
    found = _outcome(storage, scores_NM, [0, 0, 0, 0], 1).data["mistakes"]
    assert [(one["sample"], one["predicted"]) for one in found] == [(52, 2), (51, 1), (53, None)]
    assert found[0]["probability"] == pytest.approx(scores_NM[2].softmax(0)[2].item())
    assert found[2]["probability"] == "nan"


def test_a_label_that_ties_is_no_mistake(storage: Storage) -> None:
    assert _outcome(storage, torch.zeros(6, 6), list(range(6)), 1).data["mistakes"] == []


def test_mistakes_are_no_more_than_a_page(storage: Storage) -> None:
    scores_NM = torch.tensor([[0.0, 1, 0, 0, 0, 0]]).expand(50, 6)
    assert len(_outcome(storage, scores_NM, [0] * 50, 1).data["mistakes"]) == MOST_MISTAKES


def test_accuracies_mistakes_confusion_and_samples_have_one_definition(storage: Storage) -> None:
    """Scores full of ties, some so far apart that probabilities underflow, some not finite."""
    torch.manual_seed(0)
    count, ks = 60, (1, 2, 3, 5)
    scores_NM = torch.randint(0, 4, (count, 6)).float() * 150
    scores_NM[::7, 3] = torch.tensor([NAN, torch.inf, -torch.inf]).repeat(3)
    labels = torch.randint(0, 6, (count,)).tolist()
    outcome = _outcome(storage, scores_NM, labels, *ks)
    data, said = outcome.data, predictions.read(storage.path(outcome.predictions))
    right = {one.sample for one in said if one.is_right}
    finite = [one for one in said if one.probabilities[0] == one.probabilities[0]]
    assert 0 < len(finite) < count
    assert data["accuracy"] == len(right) / count
    for k in ks:
        assert data["top_k"][str(k)] == sum(one.label in one.classes[:k] for one in finite) / count
    diagonal = [row[label] for label, row in enumerate(data["confusion"])]
    assert sum(diagonal) == len(right)
    assert sum(map(sum, data["confusion"])) == len(finite)
    for label, one in enumerate(data["per_class"]):
        assert one["accuracy"] == diagonal[label] / one["count"]
    mistakes = {one["sample"] for one in data["mistakes"]}
    assert len(mistakes) == MOST_MISTAKES
    assert not mistakes & right


def test_samples_are_picked_in_the_order_of_the_file(storage: Storage) -> None:
    outcome = _outcome(storage, torch.zeros(5, 6), [0, 1, 2, 3, 4], 2)
    path = storage.path(outcome.predictions)
    found = predictions.read_samples(path, {FIRST + 3, FIRST + 1, 7})
    assert found == [predictions.read(path)[1], predictions.read(path)[3]]
