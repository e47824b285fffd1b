"""What an evaluation of a classifier reports of each sample, class and split."""

import pytest
import torch
from torch import nn

from tests.worker.experiments import experiment, split, vgg
from worker.training.evaluation import confusion_matrix, evaluate_classification
from worker.training.experiment import Split
from worker.training.fit import fit


class Fixed(nn.Module):
    """A network that returns fixed scores for any images."""

    def __init__(self, scores_NM: torch.Tensor) -> None:
        super().__init__()
        self.scores_NM = scores_NM

    def forward(self, images_NCHW: torch.Tensor) -> torch.Tensor:
        return self.scores_NM[: len(images_NCHW)]


def _split(labels: list[int]) -> Split:
    images = torch.zeros(len(labels), 3, 8, 8, dtype=torch.uint8)
    return Split(images, torch.tensor(labels), torch.arange(len(labels)) + 50)


def _scores(*rows: list[float]) -> torch.Tensor:
    scores = torch.zeros(len(rows), 6)
    for number, row in enumerate(rows):
        scores[number, : len(row)] = torch.tensor(row)
    return scores


def test_evaluation_equals_counts_by_hand() -> None:
    scores = _scores([5, 1], [5, 1], [0, 5, 4], [0, 0, 5])
    result = evaluate_classification(experiment(), Fixed(scores), _split([0, 1, 2, 2]), (1, 2))
    assert result.accuracy == 0.5
    assert result.top_k == {1: 0.5, 2: 1.0}
    assert result.confusion[:3] == [[1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0]]
    assert [(c.name, c.count, c.accuracy) for c in result.per_class[:4]] == [
        ("a", 1, 1.0),
        ("b", 1, 0.0),
        ("c", 2, 0.5),
        ("d", 0, None),
    ]
    assert result.data_loss == pytest.approx(
        nn.functional.cross_entropy(scores, torch.tensor([0, 1, 2, 2])).item()
    )


def test_predictions_list_the_most_probable_classes_in_order() -> None:
    result = evaluate_classification(experiment(), Fixed(_scores([1, 5, 3])), _split([0]), (3,))
    predictions = result.predictions
    assert predictions.classes.tolist() == [[1, 2, 0]]
    expected = torch.tensor([1.0, 5.0, 3.0, 0, 0, 0]).softmax(0)[[1, 2, 0]]
    assert torch.allclose(predictions.probabilities[0], expected)
    assert (predictions.labels.tolist(), predictions.indices.tolist()) == ([0], [50])


def test_tied_classes_are_in_ascending_order() -> None:
    result = evaluate_classification(experiment(), Fixed(_scores([1, 2, 2, 2])), _split([0]), (4,))
    assert result.predictions.classes.tolist() == [[1, 2, 3, 0]]


def test_order_follows_the_scores_where_probabilities_underflow() -> None:
    scores = _scores([0, 200, 10, 20, 30, 40])
    result = evaluate_classification(experiment(), Fixed(scores), _split([5]), (1, 2, 6))
    assert result.top_k == {1: 0.0, 2: 1.0, 6: 1.0}
    assert result.predictions.classes.tolist() == [[1, 5, 4, 3, 2, 0]]
    assert result.predictions.probabilities.tolist() == [[1.0, 0, 0, 0, 0, 0]]


@pytest.mark.parametrize(("label", "is_right"), [(1, True), (2, False), (3, False)])
def test_first_of_the_tied_classes_is_predicted_in_every_result(
    label: int, *, is_right: bool
) -> None:
    scores = Fixed(_scores([0, 3, 3, 3]))
    result = evaluate_classification(experiment(), scores, _split([label]), (1, 2))
    assert result.accuracy == is_right
    assert result.top_k == {1: 1.0, 2: 1.0}
    assert result.predictions.is_right.tolist() == [is_right]
    assert result.predictions.classes[0, 0] == 1
    assert label in result.predictions.classes[0, :2]
    assert result.confusion[label][1] == 1
    assert result.per_class[label].accuracy == is_right


def test_equal_scores_for_all_classes_are_right_for_the_first_class_only() -> None:
    labels = [0, 1, 2, 3, 4, 5] * 3
    scores = Fixed(torch.zeros(18, 6))
    result = evaluate_classification(experiment(), scores, _split(labels), (1, 5))
    assert result.accuracy == pytest.approx(1 / 6)
    assert [row.accuracy for row in result.per_class] == [1, 0, 0, 0, 0, 0]
    assert [row[0] for row in result.confusion] == [3] * 6


def test_loss_of_the_data_and_penalty_are_apart() -> None:
    training = experiment(regularizers={"l2": {"weight": 0.1}})
    samples = training.splits.test
    result = evaluate_classification(training, training.model, samples, (1,))
    weights = [
        tensor.detach().double() for tensor in training.model.parameters() if tensor.ndim > 1
    ]
    expected = 0.1 * sum(weight.square().sum().item() for weight in weights)
    assert result.penalty == pytest.approx(expected, rel=1e-6)
    plain = experiment()
    plain_result = evaluate_classification(plain, plain.model, samples, (1,))
    assert result.data_loss == plain_result.data_loss
    assert plain_result.penalty == 0


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_sample_with_a_score_that_is_not_finite_is_wrong_and_in_no_cell(bad: float) -> None:
    scores = _scores([5, 1], [5, bad])
    result = evaluate_classification(experiment(), Fixed(scores), _split([0, 0]), (1, 6))
    assert result.top_k == {1: 0.5, 6: 0.5}
    assert sum(map(sum, result.confusion)) == 1
    assert result.predictions.is_right.tolist() == [True, False]
    assert result.predictions.classes[1].tolist() == [1, 2, 3, 4, 5, 0]
    assert result.predictions.probabilities.isnan().all(1).tolist() == [False, True]


def test_k_above_the_class_count_is_left_out() -> None:
    assert set(
        evaluate_classification(experiment(), Fixed(_scores([1])), _split([0]), (1, 9)).top_k
    ) == {1}


def test_rows_of_the_confusion_matrix_are_labels() -> None:
    labels, predicted = torch.tensor([0, 0, 1]), torch.tensor([1, 1, 0])
    assert confusion_matrix(labels, predicted, 2) == [[0, 2], [1, 0]]


def test_predictions_do_not_depend_on_the_batch() -> None:
    training = experiment(architecture=vgg(), training={"epochs": 1})
    list(fit(training))
    samples = split(5000, seed=4)
    whole = evaluate_classification(training, training.model, samples, (1, 5))
    part = Split(samples.images[:100], samples.labels[:100], samples.indices[:100])
    few = evaluate_classification(training, training.model, part, (1, 5))
    assert torch.equal(few.predictions.classes, whole.predictions.classes[:100])
    assert not training.model.training
