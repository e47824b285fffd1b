"""Top-k accuracy with ties and scores that are not finite. Axes: N samples, M classes."""

import pytest
import torch
from torchmetrics.functional.classification import multiclass_accuracy

from worker.training.topk import count_right, is_right, metric_name, rank, ranking, valid_ks


def _is_right(scores: list[float], label: int, k: int) -> bool:
    return bool(count_right(rank(torch.tensor([scores]), torch.tensor([label])), (k,)).item())


@pytest.mark.parametrize("k", [1, 3, 5])
def test_accuracy_without_ties_equals_that_of_torchmetrics(k: int) -> None:
    torch.manual_seed(0)
    scores_NM, labels_N = torch.randn(500, 12), torch.randint(0, 12, (500,))
    oracle = multiclass_accuracy(scores_NM, labels_N, 12, top_k=k, average="micro").item()
    ours = count_right(rank(scores_NM, labels_N), (k,)).item() / 500
    assert ours == pytest.approx(oracle, abs=1e-7)


class TestTies:
    def test_label_that_ties_for_first_is_among_the_k_highest(self) -> None:
        assert _is_right([1.0, 1.0, 0.0], 0, 1)
        assert _is_right([1.0, 1.0, 0.0], 1, 1)

    def test_label_that_ties_for_the_last_place_is_right(self) -> None:
        scores = [5.0, 3.0, 3.0, 3.0, 1.0]
        assert all(_is_right(scores, label, 2) for label in (1, 2, 3))
        assert not _is_right(scores, 4, 2)
        assert not _is_right(scores, 1, 1)

    def test_every_label_is_in_if_all_scores_are_equal(self) -> None:
        assert all(_is_right([0.0, 0.0, 0.0], label, 1) for label in range(3))

    def test_accuracy_counts_the_first_class_only(self) -> None:
        scores_NM = torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 2.0], [2.0, 1.0, 2.0]])
        for label, expected in enumerate(([1, 0, 1], [0, 1, 0], [0, 0, 0])):
            assert is_right(scores_NM, torch.full((3,), label)).tolist() == expected

    def test_accuracy_and_top_1_are_equal_without_ties(self) -> None:
        torch.manual_seed(0)
        scores_NM, labels_N = torch.randn(500, 7), torch.randint(0, 7, (500,))
        assert torch.equal(is_right(scores_NM, labels_N), rank(scores_NM, labels_N) < 1)


class TestRanking:
    def test_first_class_leads_then_the_label_then_the_lower_class(self) -> None:
        scores_NM = torch.tensor([[1.0, 2.0, 2.0, 2.0]] * 4)
        assert ranking(scores_NM, torch.arange(4)).tolist() == [
            [1, 2, 3, 0],
            [1, 2, 3, 0],
            [1, 2, 3, 0],
            [1, 3, 2, 0],
        ]

    @pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
    def test_label_comes_last_if_a_score_is_not_finite(self, bad: float) -> None:
        scores_NM = torch.tensor([[5.0, bad, 1.0]] * 3)
        assert ranking(scores_NM, torch.arange(3)).tolist() == [[1, 2, 0], [0, 2, 1], [0, 1, 2]]

    @pytest.mark.parametrize("values", [1, 2, 4, 1000])
    def test_first_k_classes_agree_with_accuracy_and_top_k(self, values: int) -> None:
        torch.manual_seed(0)
        scores_NM = torch.randint(0, values, (500, 7)).float()
        labels_N = torch.randint(0, 7, (500,))
        order_NM, ranks_N = ranking(scores_NM, labels_N), rank(scores_NM, labels_N)
        assert torch.equal(order_NM.sort(1).values, torch.arange(7).expand(500, 7))
        assert torch.equal(order_NM[:, 0] == labels_N, is_right(scores_NM, labels_N))
        for k in range(2, 8):
            is_in_N = (order_NM[:, :k] == labels_N.unsqueeze(1)).any(1)
            assert torch.equal(is_in_N, ranks_N < k)


class TestScoreThatIsNotFinite:
    @pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
    def test_makes_the_sample_wrong_for_every_k(self, bad: float) -> None:
        for index in range(3):
            scores = [3.0, 2.0, 1.0]
            scores[index] = bad
            assert not any(_is_right(scores, label, k) for label in range(3) for k in (1, 2, 3))
            labels_N = torch.arange(3)
            assert not is_right(torch.tensor([scores] * 3), labels_N).any()

    def test_does_not_affect_other_samples(self) -> None:
        scores_NM = torch.tensor([[float("nan"), 0.0], [1.0, 0.0]])
        assert rank(scores_NM, torch.tensor([1, 0])).tolist() == [2, 0]


def test_k_above_the_class_count_is_dropped_and_1_is_always_included() -> None:
    assert valid_ks((1, 5), 3) == (1,)
    assert valid_ks((5, 2), 10) == (1, 2, 5)


def test_top_1_is_called_accuracy() -> None:
    assert [metric_name(k) for k in (1, 5)] == ["accuracy", "top_5_accuracy"]
