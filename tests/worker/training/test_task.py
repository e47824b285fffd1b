"""Training of a regression. Axes: N samples."""

import math

import pytest
import torch

from tests.worker.experiments import spec
from worker.build import build
from worker.data.job_data import Data
from worker.training import trainer
from worker.training.evaluation import evaluate_regression
from worker.training.experiment import Experiment, Split, Splits
from worker.training.fit import fit
from worker.training.reports import EpochEnded, Stepped
from worker.training.state import TrainingState
from worker.training.task import Regression

WEIGHTS = torch.tensor([2.0, -1.0, 0.5])


def rows(count: int, seed: int) -> Split:
    """Return rows whose target is a weighted sum of three columns of different sizes."""
    generator = torch.Generator().manual_seed(seed)
    columns_NF = torch.randn(count, 3, generator=generator)
    targets_N = columns_NF @ WEIGHTS + 3
    images = (columns_NF * torch.tensor([1.0, 100.0, 0.01]) + 7)[:, :, None, None]
    return Split(images, targets_N, torch.arange(count))


def experiment(**fields: object) -> Experiment:
    data = Data((), Splits(train=rows(64, 1), validation=rows(20, 2), test=rows(30, 3)))
    parts = {
        "architecture": "linear",
        "loss": "l2",
        "optimizer": {"name": "sgd", "learning_rate": 0.05},
        "checkpoints": [{"monitor": "val_mean_absolute_error", "mode": "min"}],
        "training": {"epochs": 30},
    }
    return build(spec(**{**parts, **fields}), data)


def epochs(of: Experiment, state: TrainingState | None = None) -> list[dict[str, float]]:
    return [report.metrics for report in fit(of, state=state) if isinstance(report, EpochEnded)]


def _exact(metrics: dict[str, float]) -> dict[str, float]:
    return {n: v for n, v in metrics.items() if n not in ("seconds", "images_per_second")}


class TestFit:
    def test_linear_function_of_a_table_is_learned(self) -> None:
        of = experiment()
        last = epochs(of)[-1]
        assert last["val_data_loss"] < 1e-3
        assert last["val_root_mean_squared_error"] == pytest.approx(
            math.sqrt(last["val_data_loss"]), rel=1e-4
        )
        evaluation = evaluate_regression(of, of.model, of.splits.test)
        assert evaluation.metrics["r2"] == pytest.approx(1, abs=1e-3)
        assert torch.allclose(evaluation.outputs, evaluation.targets, atol=0.2)

    def test_metrics_are_errors_and_no_accuracies(self) -> None:
        names = epochs(experiment(training={"epochs": 1}))[0].keys()
        assert {f"{split}_mean_absolute_error" for split in ("train", "val")} <= names
        assert not [name for name in names if "accuracy" in name]

    @pytest.mark.parametrize("loss", ["l1", "l2", "epsilon_insensitive"])
    def test_every_regression_loss_falls(self, loss: str) -> None:
        metrics = epochs(experiment(loss=loss, training={"epochs": 10}))
        assert metrics[-1]["train_data_loss"] < metrics[0]["train_data_loss"] / 2

    @pytest.mark.parametrize("capacity", [1, 3])
    def test_resume_inside_an_epoch_ends_in_the_same_bits(
        self, monkeypatch: pytest.MonkeyPatch, capacity: int
    ) -> None:
        monkeypatch.setitem(trainer.STEPS_BETWEEN_READINGS, "cpu", capacity)

        def short() -> Experiment:
            return experiment(training={"epochs": 2})

        states = [r.snapshot() for r in fit(short()) if isinstance(r, Stepped) and r.step == 11]
        whole, again = short(), short()
        metrics, resumed = epochs(whole), epochs(again, states[0])
        assert list(map(_exact, metrics[1:])) == list(map(_exact, resumed))
        uninterrupted, continued = whole.model.state_dict(), again.model.state_dict()
        assert all(torch.equal(uninterrupted[name], continued[name]) for name in continued)


class TestRegression:
    def test_errors_follow_the_formulas(self) -> None:
        outputs, targets = torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([0.0, 2.0, 1.0])
        parts = [outputs[:1], outputs[1:]], [targets[:1], targets[1:]]
        statistics = Regression().statistics(*parts)
        assert statistics.tolist() == [[1, 1], [3, 9]]
        metrics = Regression().metrics(statistics.sum(0).tolist(), 3)
        assert metrics["mean_absolute_error"] == pytest.approx(4 / 3)
        assert metrics["root_mean_squared_error"] == pytest.approx(math.sqrt(10 / 3))

    def test_constant_target_has_no_r2(self) -> None:
        of = experiment(training={"epochs": 1})
        same = Split(of.splits.test.images, torch.full((30,), 5.0), of.splits.test.indices)
        assert evaluate_regression(of, of.model, same).metrics["r2"] is None


class TestNormalization:
    def test_columns_are_standardized_and_the_table_is_unchanged(self) -> None:
        of = experiment(training={"epochs": 1})
        before = of.splits.validation.images.clone()
        assert of.normalization.largest == 1
        assert of.normalization.mean[1] == pytest.approx(
            of.splits.train.images[:, 1].double().mean().item()
        )
        epochs(of)
        assert torch.equal(of.splits.validation.images, before)

    def test_constant_column_is_only_centred(self) -> None:
        split = rows(64, 1)
        images = split.images.clone()
        images[:, 2] = 0.1
        data = Data((), Splits(*[Split(images, split.labels, split.indices)] * 3))
        found = build(spec(architecture="linear", loss="l2", checkpoints=[]), data).normalization
        assert found.deviation[2] == 1
