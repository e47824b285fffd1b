"""The recorded parts of the objective, compared with computations by hand."""

from typing import Any

import pytest
import torch
from torch.nn import functional

from tests.worker.experiments import data, experiment
from worker.training.device_split import DeviceSplit
from worker.training.evaluation import score
from worker.training.experiment import Experiment
from worker.training.fit import fit
from worker.training.reports import EpochEnded

#: At this learning rate weights stay the same, so metrics describe the first weights.
UNCHANGED = {"name": "sgd", "learning_rate": 1e-30, "momentum": 0.0}


def _epochs(training: Experiment) -> list[dict[str, float]]:
    return [dict(report.metrics) for report in fit(training) if isinstance(report, EpochEnded)]


class TestPenalty:
    @pytest.mark.parametrize(
        ("regularizers", "by_hand"),
        [
            ({"l2": {"weight": 0.01}}, lambda w: 0.01 * w.square().sum().item()),
            ({"l1": {"weight": 0.02}}, lambda w: 0.02 * w.abs().sum().item()),
        ],
    )
    def test_training_and_validation_record_its_value(
        self, regularizers: Any, by_hand: Any
    ) -> None:
        training = experiment(
            regularizers=regularizers, optimizer=UNCHANGED, training={"epochs": 1}
        )
        weights = [p.detach() for p in training.model.parameters() if p.ndim > 1]
        expected = by_hand(torch.cat([weight.double().flatten() for weight in weights]))
        (metrics,) = _epochs(training)
        assert metrics["train_penalty"] == pytest.approx(expected, rel=1e-5)
        assert metrics["val_loss"] - metrics["val_data_loss"] == pytest.approx(expected, rel=1e-5)
        train_loss = metrics["train_data_loss"] + expected
        assert metrics["train_loss"] == pytest.approx(train_loss, rel=1e-5)


class TestGeneralizationGap:
    """Its training loss is that of as many samples as the validation split has: 10 of 40."""

    def _training(self, seed: int) -> Experiment:
        return experiment(
            bundle=data(train=40, validation=10),
            seed=seed,
            optimizer=UNCHANGED,
            training={"epochs": 2},
        )

    def _samples(self, monkeypatch: pytest.MonkeyPatch, seed: int) -> list[torch.Tensor]:
        """Return the training samples that each epoch is measured on."""
        samples_of_epoch: list[torch.Tensor] = []

        def recording(
            *arguments: Any, samples_N: torch.Tensor | None = None, **options: Any
        ) -> Any:
            if samples_N is not None:
                samples_of_epoch.append(samples_N.clone())
            return score(*arguments, samples_N=samples_N, **options)

        monkeypatch.setattr("worker.training.trainer.score", recording)
        _epochs(self._training(seed))
        return samples_of_epoch

    def test_sample_is_random_and_the_same_in_every_epoch(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = self._samples(monkeypatch, 3)
        assert torch.equal(first, second)
        assert len(first) == len(first.unique()) == 10
        assert first.min() >= 0
        assert first.max() >= 10, "the sample is not just the first ten"
        assert first.max() < 40

    def test_another_seed_draws_another_sample(self, monkeypatch: pytest.MonkeyPatch) -> None:
        first, second = (self._samples(monkeypatch, seed)[0].sort().values for seed in (3, 4))
        assert not torch.equal(first, second)

    def test_gap_is_the_validation_loss_minus_the_loss_of_the_sample(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sample = self._samples(monkeypatch, 3)[0]
        training = self._training(3)
        train = training.splits.train
        on_device = DeviceSplit(train.images, train.labels, training.normalization, training.device)
        images_NCHW, labels_N = on_device.batch(sample)
        with torch.no_grad():
            loss = functional.cross_entropy(training.model.eval()(images_NCHW), labels_N).item()
        for metrics in _epochs(training):
            gap = metrics["val_data_loss"] - loss
            assert metrics["generalization_gap"] == pytest.approx(gap, abs=1e-6)
