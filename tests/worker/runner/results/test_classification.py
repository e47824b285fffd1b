from pathlib import Path

import pytest
import torch

from shared import predictions
from shared.storage import Storage
from tests.shared.rows import checkpoint_row
from tests.worker.experiments import experiment
from tests.worker.training.test_evaluation import Fixed
from worker.runner.results.classification import MAX_MISTAKES, classification_result
from worker.runner.results.result import CheckpointResult
from worker.training.evaluation import evaluate_classification
from worker.training.experiment import Split

FIRST = 50
NAN = float("nan")


def _result(
    storage: Storage, scores_NM: torch.Tensor, labels: list[int], *ks: int
) -> CheckpointResult:
    """Return the results of fixed scores; the samples are numbered from `FIRST`."""
    images = torch.zeros(len(labels), 3, 8, 8, dtype=torch.uint8)
    split = Split(images, torch.tensor(labels), torch.arange(len(labels)) + FIRST)
    small = experiment()
    row = checkpoint_row("last", 1)
    evaluation = evaluate_classification(small, Fixed(scores_NM), split, ks)
    return classification_result(evaluation, small.class_names, storage, "job", row)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path)


def test_mistakes_are_the_wrong_samples_with_the_most_probable_first(storage: Storage) -> None:
    scores_NM = torch.zeros(4, 6)
    scores_NM[0, 0] = 9.0  # right
    scores_NM[1, 1], scores_NM[2, 2] = 3.0, 6.0  # wrong, the second with more confidence
    scores_NM[3, 5] = NAN  # wrong, without a prediction
    mistakes = _result(storage, scores_NM, [0, 0, 0, 0], 1).data["mistakes"]
    assert [(row["sample"], row["predicted"]) for row in mistakes] == [(52, 2), (51, 1), (53, None)]
    assert mistakes[0]["probability"] == pytest.approx(scores_NM[2].softmax(0)[2].item())
    assert mistakes[2]["probability"] == "nan"


def test_label_that_ties_with_a_lower_class_is_a_mistake(storage: Storage) -> None:
    mistakes = _result(storage, torch.zeros(6, 6), list(range(6)), 1).data["mistakes"]
    assert [row["label"] for row in mistakes] == [1, 2, 3, 4, 5]
    assert {row["predicted"] for row in mistakes} == {0}


def test_the_number_of_mistakes_is_limited(storage: Storage) -> None:
    scores_NM = torch.tensor([[0.0, 1, 0, 0, 0, 0]]).expand(50, 6)
    assert len(_result(storage, scores_NM, [0] * 50, 1).data["mistakes"]) == MAX_MISTAKES


def test_accuracies_mistakes_confusion_and_predictions_agree(storage: Storage) -> None:
    """Scores full of ties, some so far apart that probabilities underflow, some not finite."""
    torch.manual_seed(0)
    count, ks = 60, (1, 2, 3, 5)
    scores_NM = torch.randint(0, 4, (count, 6)).float() * 150
    scores_NM[::7, 3] = torch.tensor([NAN, torch.inf, -torch.inf]).repeat(3)
    labels = torch.randint(0, 6, (count,)).tolist()
    result = _result(storage, scores_NM, labels, *ks)
    data, rows = result.data, predictions.read(storage.path(result.predictions))
    right = {row.sample for row in rows if row.is_right}
    finite = [row for row in rows if row.probabilities[0] == row.probabilities[0]]
    assert 0 < len(finite) < count
    assert data["accuracy"] == len(right) / count
    assert data["top_k"]["1"] >= data["accuracy"]
    for k in ks[1:]:
        assert data["top_k"][str(k)] == sum(row.label in row.classes[:k] for row in finite) / count
    diagonal = [row[label] for label, row in enumerate(data["confusion"])]
    assert sum(diagonal) == len(right)
    assert sum(map(sum, data["confusion"])) == len(finite)
    for label, row in enumerate(data["per_class"]):
        assert row["accuracy"] == diagonal[label] / row["count"]
    mistakes = {row["sample"] for row in data["mistakes"]}
    assert len(mistakes) == MAX_MISTAKES
    assert not mistakes & right


def test_selected_samples_are_in_the_order_of_the_file(storage: Storage) -> None:
    result = _result(storage, torch.zeros(5, 6), [0, 1, 2, 3, 4], 2)
    path = storage.path(result.predictions)
    rows = predictions.read_samples(path, {FIRST + 3, FIRST + 1, 7})
    assert rows == [predictions.read(path)[1], predictions.read(path)[3]]
