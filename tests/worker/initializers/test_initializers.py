"""Initializers follow their formulas, measured on a quarter of a million draws."""

from math import sqrt

import pytest
import torch
from torch import Tensor

from tests.worker.experiments import experiment, vgg
from worker.initializers.draw import Draw, fans
from worker.registry import initializers

SHAPE = (256, 128, 3, 3)
FAN_IN, FAN_OUT = 128 * 9, 256 * 9
#: σ by hand for SHAPE; a uniform on (−a, a) has σ = a/√3.
DEVIATIONS = {
    "xavier_normal": sqrt(2 / (1152 + 2304)),
    "xavier_uniform": sqrt(6 / (1152 + 2304)) / sqrt(3),
    "he_glorot": sqrt(2) * sqrt(2 / (1152 + 2304)),
    "he_normal": sqrt(2 / 1152),
    "he_uniform": sqrt(6 / 1152) / sqrt(3),
    "lecun_normal": sqrt(1 / 1152),
    "lecun_uniform": sqrt(3 / 1152) / sqrt(3),
    "normal": 0.05,
    "uniform": 0.05 / sqrt(3),
    "orthogonal": 1 / sqrt(1152),
    "zeros": 0.0,
}
UNIFORM = {name for name in DEVIATIONS if name.endswith("uniform")}


def _drawn(name: str, *, activation: str = "relu", seed: int = 0, **parameters: object) -> Tensor:
    weight = torch.full(SHAPE, torch.nan)
    draw = Draw(*fans(SHAPE), activation, torch.Generator().manual_seed(seed))
    initializers.get(name).function(weight, draw, **parameters)
    return weight


def test_fans_of_a_convolution_include_the_area_of_the_kernel() -> None:
    assert fans(SHAPE) == (FAN_IN, FAN_OUT)
    assert fans((10, 20)) == (20, 10)


@pytest.mark.parametrize("name", DEVIATIONS)
class TestDistribution:
    def test_mean_is_0_and_standard_deviation_follows_the_formula(self, name: str) -> None:
        weight = _drawn(name)
        expected = DEVIATIONS[name]
        assert weight.std().item() == pytest.approx(expected, rel=0.01, abs=1e-12)
        assert weight.mean().item() == pytest.approx(0, abs=0.01 * expected + 1e-12)

    def test_distribution_is_normal_or_uniform(self, name: str) -> None:
        weight = _drawn(name)
        if name in UNIFORM:
            bound = DEVIATIONS[name] * sqrt(3)
            assert weight.abs().max().item() == pytest.approx(bound, rel=1e-3)
            assert weight.abs().max().item() <= bound
        elif name != "zeros":
            beyond_two = (weight.abs() > 2 * weight.std()).float().mean().item()
            assert beyond_two == pytest.approx(0.0455, abs=0.003)


@pytest.mark.parametrize("name", list(initializers.entries()))
def test_same_seed_gives_the_same_finite_draws(name: str) -> None:
    weight = _drawn(name)
    assert weight.isfinite().all()
    assert torch.equal(weight, _drawn(name))


@pytest.mark.parametrize(
    ("activation", "alpha"), [("sigmoid", 1.0), ("tanh", 4.0), ("relu", sqrt(2)), ("elu", sqrt(2))]
)
def test_he_glorot_takes_its_gain_from_the_activation(activation: str, alpha: float) -> None:
    expected = alpha * DEVIATIONS["xavier_normal"]
    assert _drawn("he_glorot", activation=activation).std().item() == pytest.approx(
        expected, rel=0.01
    )


def test_gain_of_he_glorot_can_be_set() -> None:
    weight = _drawn("he_glorot", activation="tanh", alpha=3.0)
    assert weight.std().item() == pytest.approx(3 * DEVIATIONS["xavier_normal"], rel=0.01)


def test_orthogonal_rows_are_orthonormal_times_the_scale() -> None:
    rows = _drawn("orthogonal", scale=2.0).flatten(1)
    assert torch.allclose(rows @ rows.T, 4 * torch.eye(256), atol=1e-4)


class TestInitialWeights:
    def _state(self, **fields: object) -> dict[str, Tensor]:
        return experiment(**fields).model.state_dict()

    def test_weights_depend_only_on_the_seed_and_their_names(self) -> None:
        plain = self._state(architecture=vgg(), seed=3)
        other = self._state(
            architecture=vgg(batch_norm=False, activation="relu", dropout=0.9),
            seed=3,
            optimizer="adam",
            regularizers={"l2": {"weight": 0.1}},
            training={"batch_size": 4, "precision": "bfloat16"},
        )
        shared = [name for name in plain if name in other]
        assert len(shared) >= 12
        assert all(torch.equal(plain[name], other[name]) for name in shared)

    def test_another_seed_gives_other_weights(self) -> None:
        first, second = self._state(seed=1), self._state(seed=2)
        assert not torch.equal(first["head.output.weight"], second["head.output.weight"])

    def test_biases_are_0_and_scales_are_1(self) -> None:
        for name, tensor in self._state(architecture=vgg()).items():
            if name.endswith("bias"):
                assert tensor.eq(0).all(), name
            if "norm" in name and name.endswith("weight"):
                assert tensor.eq(1).all(), name

    def test_overrides_match_names_of_layers_and_tensors(self) -> None:
        state = self._state(
            architecture=vgg(),
            initializer={
                "name": "zeros",
                "overrides": {"head.*": {"name": "normal", "scale": 2.0}, "*.conv1": "uniform"},
            },
        )
        assert state["head.hidden1.weight"].std().item() == pytest.approx(2.0, rel=0.2)
        assert state["block1.conv1.weight"].abs().max() <= 0.05
        assert state["block1.conv1.weight"].abs().max() > 0
        assert state["block1.conv2.weight"].eq(0).all()

    def test_the_longest_pattern_wins(self) -> None:
        overrides = {"head.output": {"name": "zeros"}, "*": {"name": "normal"}}
        state = self._state(initializer={"name": "he_normal", "overrides": overrides})
        assert state["head.output.weight"].eq(0).all()
        assert state["body.hidden1.weight"].std().item() == pytest.approx(0.05, rel=0.1)

    def test_pattern_without_a_match_is_refused_with_the_available_layers(self) -> None:
        with pytest.raises(ValueError, match=r"'haed\.\*' matches no layer.*head\.output"):
            experiment(initializer={"name": "zeros", "overrides": {"haed.*": "normal"}})
