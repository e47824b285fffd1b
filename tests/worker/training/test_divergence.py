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
    """The error, and the last step that was reported before it."""
    last = 0
    try:
        for report in fit(built or experiment(**fields)):
            if isinstance(report, Stepped):
                last = report.step
    except Diverged as diverged:
        return diverged, last
    pytest.fail("the training did not diverge")


def _without_a_gradient() -> Experiment:
    def loss(outputs_NM: Tensor, labels_N: Tensor) -> Tensor:
        return cross_entropy(outputs_NM, labels_N) + (0 * outputs_NM).square().sum().sqrt()

    return replace(experiment(training={"epochs": 50, "precision": "float16"}), loss=loss)


class TestDivergence:
    def test_a_loss_that_is_not_finite_ends_the_training_at_its_step(self) -> None:
        diverged, last = _until_divergence(
            optimizer={"name": "sgd", "learning_rate": 1000, "momentum": 0.99},
            architecture={"name": "mlp", "hidden_units": [64] * 8},
            training={"epochs": 50},
        )
        assert diverged.step == last + 1
        assert diverged.stage == "training"
        assert "smaller learning_rate than 1000" in diverged.hint
        assert "not finite at step" in str(diverged)

    def test_a_penalty_that_grows_without_bounds_is_one(self) -> None:
        diverged, _ = _until_divergence(
            optimizer={"name": "sgd", "learning_rate": 1000},
            regularizers={"l2": {"weight": 1000}},
            training={"epochs": 50},
        )
        assert diverged.step > 1

    def test_the_step_is_the_first_even_when_figures_are_read_later(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fields = {
            "optimizer": {"name": "sgd", "learning_rate": 1000, "momentum": 0.99},
            "architecture": {"name": "mlp", "hidden_units": [64] * 8},
            "training": {"epochs": 50},
        }
        at_once, _ = _until_divergence(**fields)
        monkeypatch.setitem(trainer.STEPS_BETWEEN_READINGS, "cpu", 50)
        later, last = _until_divergence(**fields)
        assert later.step == at_once.step
        assert last >= later.step

    def test_float16_skips_steps_but_not_for_ever(self) -> None:
        """Weights so large that gradients overflow whatever the scale is."""
        diverged, last = _until_divergence(
            architecture=vgg(batch_norm=False, activation="relu"),
            initializer={"name": "normal", "scale": 4.0},
            training={"epochs": 50, "precision": "float16"},
        )
        assert diverged.step <= last + 1
        assert "bfloat16" in diverged.hint
        assert MAX_SKIPPED_IN_A_ROW > 20

    def test_it_does_not_skip_them_for_ever_however_few_an_epoch_has(self) -> None:
        """Four, of a loss that is finite and whose gradient is not, whatever the scale is."""
        diverged, last = _until_divergence(_without_a_gradient())
        assert (diverged.what, diverged.step) == ("The gradient", 1)
        assert last == MAX_SKIPPED_IN_A_ROW - 1

    def test_each_stage_looks_for_its_own_scale(self) -> None:
        training = _without_a_gradient()
        (stage,) = training.stages
        stages = tuple(replace(stage, name=name, epochs=6) for name in ("first", "second"))
        *_, fitted = fit(replace(training, stages=stages))
        assert fitted.step == 48
