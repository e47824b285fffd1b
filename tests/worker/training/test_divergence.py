"""A loss or gradient that is not finite ends `fit` with a hint."""

from dataclasses import replace

import pytest
from torch import Tensor
from torch.nn.functional import cross_entropy

from tests.worker.experiments import experiment, vgg
from worker.training import trainer
from worker.training.divergence import MAX_SKIPPED_IN_A_ROW, Diverged
from worker.training.experiment import Experiment
from worker.training.fit import fit
from worker.training.reports import Stepped


def _until_divergence(built: Experiment | None = None, /, **fields: object) -> tuple[Diverged, int]:
    """Return the error, and the last step that was reported before it."""
    last = 0
    try:
        for report in fit(built or experiment(**fields)):
            if isinstance(report, Stepped):
                last = report.step
    except Diverged as diverged:
        return diverged, last
    pytest.fail("The loss did not diverge.")


def _with_infinite_gradient() -> Experiment:
    def loss(outputs_NM: Tensor, labels_N: Tensor) -> Tensor:
        return cross_entropy(outputs_NM, labels_N) + (0 * outputs_NM).square().sum().sqrt()

    return replace(experiment(training={"epochs": 50, "precision": "float16"}), loss=loss)


class TestDivergence:
    def test_loss_that_is_not_finite_ends_the_training_at_its_step(self) -> None:
        diverged, last = _until_divergence(
            optimizer={"name": "sgd", "learning_rate": 1000, "momentum": 0.99},
            architecture={"name": "mlp", "hidden_units": [64] * 8},
            training={"epochs": 50},
        )
        assert diverged.step == last + 1
        assert diverged.stage == "training"
        assert "learning_rate of at most 100 instead of 1000" in diverged.hint
        assert "not finite at step" in str(diverged)

    def test_penalty_that_grows_without_bounds_counts_too(self) -> None:
        diverged, _ = _until_divergence(
            optimizer={"name": "sgd", "learning_rate": 1000},
            regularizers={"l2": {"weight": 1000}},
            training={"epochs": 50},
        )
        assert diverged.step > 1

    def test_step_is_the_first_even_if_results_are_read_later(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fields = {
            "optimizer": {"name": "sgd", "learning_rate": 1000, "momentum": 0.99},
            "architecture": {"name": "mlp", "hidden_units": [64] * 8},
            "training": {"epochs": 50},
        }
        read_at_once, _ = _until_divergence(**fields)
        monkeypatch.setitem(trainer.STEPS_BETWEEN_READINGS, "cpu", 50)
        read_later, last = _until_divergence(**fields)
        assert read_later.step == read_at_once.step
        assert last >= read_later.step

    def test_float16_skips_a_limited_number_of_steps(self) -> None:
        """The weights are so large that gradients overflow at every scale."""
        diverged, last = _until_divergence(
            architecture=vgg(batch_norm=False, activation="relu"),
            initializer={"name": "normal", "scale": 4.0},
            training={"epochs": 50, "precision": "float16"},
        )
        assert diverged.step <= last + 1
        assert "bfloat16" in diverged.hint
        assert MAX_SKIPPED_IN_A_ROW > 20

    def test_skipped_steps_are_counted_across_epochs(self) -> None:
        """An epoch has four steps. The loss is finite, and its gradient is not at any scale."""
        diverged, last = _until_divergence(_with_infinite_gradient())
        assert (diverged.what, diverged.step) == ("The gradient", 1)
        assert last == MAX_SKIPPED_IN_A_ROW - 1

    def test_each_stage_searches_its_scale_from_scratch(self) -> None:
        training = _with_infinite_gradient()
        (stage,) = training.stages
        stages = tuple(replace(stage, name=name, epochs=6) for name in ("first", "second"))
        *_, fitted = fit(replace(training, stages=stages))
        assert fitted.step == 48
