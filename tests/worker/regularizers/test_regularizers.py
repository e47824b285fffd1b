import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.worker.experiments import experiment, vgg
from worker.regularizers.label_smoothing import smooth
from worker.regularizers.norms import add_l1_gradient, add_l2_gradient, l1_value, l2_value
from worker.training.fit import fit
from worker.training.penalties import Penalties
from worker.training.reports import EpochEnded, Fitted

WEIGHTS = [torch.tensor([[1.0, -2.0], [0.0, 3.0]]), torch.tensor([[0.5]])]


def _last_metrics(**fields: object) -> dict[str, float]:
    ended = [r for r in fit(experiment(**fields)) if isinstance(r, EpochEnded)]
    return dict(ended[-1].metrics)


class TestL2:
    def test_the_value_is_the_weight_times_the_sum_of_squares(self) -> None:
        assert l2_value(WEIGHTS, 0.1).item() == pytest.approx(0.1 * (1 + 4 + 9 + 0.25))

    def test_the_gradient_is_twice_the_weight_times_w_exactly(self) -> None:
        gradients = [torch.zeros(2, 2), torch.zeros(1, 1)]
        add_l2_gradient(WEIGHTS, gradients, 0.125)
        assert torch.equal(gradients[0], 0.25 * WEIGHTS[0])
        assert torch.equal(gradients[1], 0.25 * WEIGHTS[1])

    def test_the_gradient_equals_the_gradient_of_the_value_by_autograd(self) -> None:
        weight = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
        (expected,) = torch.autograd.grad(0.3 * weight.square().sum(), weight)
        gradient = torch.zeros_like(weight)
        add_l2_gradient([weight.detach()], [gradient], 0.3)
        assert torch.allclose(gradient, expected, rtol=1e-14)


class TestL1:
    def test_the_value_is_the_weight_times_the_sum_of_magnitudes(self) -> None:
        assert l1_value(WEIGHTS, 0.1).item() == pytest.approx(0.1 * 6.5)

    def test_the_subgradient_is_the_weight_times_the_sign_and_0_at_0(self) -> None:
        gradients = [torch.zeros(2, 2), torch.zeros(1, 1)]
        add_l1_gradient(WEIGHTS, gradients, 0.5)
        assert torch.equal(gradients[0], torch.tensor([[0.5, -0.5], [0.0, 0.5]]))


class TestPenalties:
    def test_only_weights_are_penalized_not_biases_or_scales(self) -> None:
        training = experiment(architecture=vgg(), regularizers={"l2": {"weight": 0.5}})
        expected = sum(
            parameter.square().sum().item()
            for layer in training.model.modules()
            if isinstance(layer, nn.Conv2d | nn.Linear)
            for name, parameter in layer.named_parameters(recurse=False)
            if name == "weight"
        )
        value = Penalties(training.model, training.regularizers).value()
        assert value is not None
        assert value.item() == pytest.approx(0.5 * expected, rel=1e-5)

    def test_only_selects_layers_by_a_pattern(self) -> None:
        regularizers = {"l1": {"weight": 1.0, "only": "head.*"}}
        training = experiment(architecture=vgg(), regularizers=regularizers)
        head = [p for n, p in training.model.named_parameters() if n.startswith("head.")]
        expected = sum(p.abs().sum().item() for p in head if p.ndim == 2)
        value = Penalties(training.model, training.regularizers).value()
        assert value is not None
        assert value.item() == pytest.approx(expected, rel=1e-5)

    def test_pattern_without_a_match_is_refused(self) -> None:
        with pytest.raises(ValueError, match="matches no layer"):
            experiment(regularizers={"l2": {"weight": 1.0, "only": "haed.*"}})

    def test_step_uses_the_sum_of_data_and_penalty_gradients(self) -> None:
        fields = {
            "architecture": "linear",
            "optimizer": {"name": "sgd", "learning_rate": 0.5, "momentum": 0.0},
            "training": {"epochs": 1, "batch_size": 32},
        }
        name = "head.output.weight"
        start = experiment(**fields).model.state_dict()[name].clone()
        ends = {}
        for weight in (0.0, 0.01):
            reports = fit(experiment(**fields, regularizers={"l2": {"weight": weight}}))
            for report in reports:
                if isinstance(report, Fitted):
                    ends[weight] = report.snapshot().model[name]
        moved = ends[0.01] - ends[0.0]
        assert torch.allclose(moved, -0.5 * 2 * 0.01 * start, atol=1e-7)

    def test_penalty_and_data_loss_are_separate_metrics(self) -> None:
        metrics = _last_metrics(regularizers={"l2": {"weight": 0.01}, "l1": {"weight": 0.001}})
        assert metrics["train_penalty"] > 0
        assert metrics["train_loss"] == metrics["train_data_loss"] + metrics["train_penalty"]
        assert metrics["val_loss"] > metrics["val_data_loss"]

    def test_loss_without_penalties_is_the_data_loss(self) -> None:
        metrics = _last_metrics()
        assert metrics["train_penalty"] == 0
        assert metrics["val_loss"] == metrics["val_data_loss"]


class TestLabelSmoothing:
    def test_targets_are_mixed_with_the_uniform_distribution(self) -> None:
        smoothed = smooth(torch.tensor([2, 0]), 4, 0.2)
        expected = torch.tensor([[0.05, 0.05, 0.85, 0.05], [0.85, 0.05, 0.05, 0.05]])
        assert torch.allclose(smoothed, expected)

    def test_loss_equals_label_smoothing_in_torch(self) -> None:
        logits, labels = torch.randn(5, 4), torch.tensor([0, 1, 2, 3, 1])
        ours = functional.cross_entropy(logits, smooth(labels, 4, 0.3))
        assert torch.allclose(ours, functional.cross_entropy(logits, labels, label_smoothing=0.3))

    def test_training_loss_is_smoothed_and_validation_loss_is_not(self) -> None:
        fields = {"architecture": "linear", "optimizer": {"name": "sgd", "learning_rate": 1e-30}}
        plain = _last_metrics(**fields)
        smoothed = _last_metrics(**fields, regularizers={"label_smoothing": {"alpha": 0.9}})
        assert smoothed["train_data_loss"] != pytest.approx(plain["train_data_loss"], rel=1e-3)
        assert smoothed["val_data_loss"] == plain["val_data_loss"]
        assert smoothed["generalization_gap"] == plain["generalization_gap"]


class TestOverrides:
    def test_dropout_overrides_every_rate_of_the_architecture(self) -> None:
        model = experiment(architecture=vgg(), regularizers={"dropout": {"rate": 0.3}}).model
        assert {m.p for m in model.modules() if isinstance(m, nn.Dropout)} == {0.3}

    def test_dropout_overrides_the_rate_of_a_new_head(self) -> None:
        head = {"hidden_units": [5, 5], "dropout": 0.3}
        tuning = {"head": head, "stages": [{"name": "a", "epochs": 1}]}
        tuned = experiment(
            architecture=vgg(), fine_tuning=tuning, regularizers={"dropout": {"rate": 0.7}}
        )
        assert {m.p for m in tuned.model.modules() if isinstance(m, nn.Dropout)} == {0.7}
        assert tuned.architecture["head"] == {"hidden_units": (5, 5), "dropout": 0.7}

    def test_batch_norm_is_switched_on_with_its_momentum(self) -> None:
        model = experiment(regularizers={"batch_norm": {"momentum": 0.8}}).model
        norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d)]
        assert [norm.momentum for norm in norms] == [0.2]

    def test_running_statistics_keep_theta_of_their_value(self) -> None:
        model = experiment(regularizers={"batch_norm": {"momentum": 0.9}}).model
        norm = next(m for m in model.modules() if isinstance(m, nn.BatchNorm1d))
        features = torch.randn(16, 128) + 5
        norm.train()
        norm(features)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert torch.allclose(norm.running_mean, 0.1 * features.mean(0), atol=1e-6)
        unbiased = features.var(0, unbiased=True)
        assert torch.allclose(norm.running_var, 0.9 + 0.1 * unbiased, atol=1e-5)

    @pytest.mark.parametrize("name", ["dropout", "batch_norm"])
    def test_architecture_without_the_parameters_is_refused(self, name: str) -> None:
        with pytest.raises(ValueError, match=f"{name}.*, which linear does not have"):
            experiment(architecture="linear", regularizers={name: {}})

    def test_dropout_is_off_at_evaluation(self) -> None:
        fields = {"optimizer": {"name": "sgd", "learning_rate": 1e-30}}
        without = _last_metrics(**fields)
        dropped = _last_metrics(**fields, regularizers={"dropout": {"rate": 0.9}})
        assert dropped["train_data_loss"] != without["train_data_loss"]
        assert dropped["val_data_loss"] == without["val_data_loss"]
