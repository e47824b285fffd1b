"""One sample, weights that are not finite, and further known answers."""

import math
from typing import Any

import pytest
import torch

from tests.worker.analyses.subjects import analyse, digits, network, subject
from tests.worker.experiments import spec
from worker.analyses.drawing import use_log_scale
from worker.analyses.subject import AnalysisRefused
from worker.analyses.wording import count, number, percent, ticks
from worker.build import build
from worker.data.job_data import Data
from worker.registry import analyses
from worker.training.experiment import Experiment, Split, Splits

SHORT: dict[str, dict[str, Any]] = {
    "curvature": {"iterations": 5, "probes": 1},
    "loss_surface": {"directions": 1, "points": 3, "grid": 3, "samples": 16},
    "loss_path": {"points": 3, "samples": 16},
    "loss_estimate": {"resamples": 100},
    "label_errors": {},
}


def _first(part: Split, samples: int) -> Split:
    return Split(part.images[:samples], part.labels[:samples], part.indices[:samples])


def _small(*, train: int, validation: int) -> Experiment:
    data = digits()
    own = data.splits
    splits = Splits(_first(own.train, train), _first(own.validation, validation), own.test)
    fields = {"architecture": {"name": "mlp", "hidden_units": [4]}}
    return build(spec(**fields), Data(data.class_names, splits))


def _analyse(training: Experiment, kind: str) -> Any:
    weights = {name: tensor.clone() for name, tensor in training.model.state_dict().items()}
    return analyse(kind, subject(training, load_weights=lambda _: weights), **SHORT[kind])


@pytest.mark.parametrize("kind", sorted(analyses.entries()))
@pytest.mark.parametrize(("train", "validation"), [(1, 20), (20, 1)])
def test_a_single_sample_is_analysed_and_said_to_be_one(
    kind: str, train: int, validation: int
) -> None:
    outcome = _analyse(_small(train=train, validation=validation), kind)
    assert not any("1 samples" in sentence or "inf" in sentence for sentence in outcome.summary)
    if kind == "curvature":
        assert len(outcome.result["halves"]) == (0 if train == 1 else 2)
    if kind == "loss_estimate":
        assert outcome.result["gap"]["interval"] == [-math.inf, math.inf]
        assert any(sentence.startswith("The gap may be chance") for sentence in outcome.summary)


@pytest.mark.parametrize("kind", sorted(analyses.entries()))
def test_weights_that_are_not_finite_are_refused(kind: str) -> None:
    training = network()
    with torch.no_grad():
        for parameter in training.model.parameters():
            parameter.fill_(math.nan)
    with pytest.raises(AnalysisRefused, match=r"The loss at the .* is nan: the training diverged"):
        _analyse(training, kind)


def test_least_squares_ends_at_a_minimum_with_the_eigenvalues_of_its_normal_equations() -> None:
    """J(w) = mean (x̃ᵀw − y)² has the Hessian 2·E[x̃x̃ᵀ], x̃ = (x, 1), and one minimum."""
    data = digits()
    parts = (data.splits.train, data.splits.validation, data.splits.test)
    numbers = Splits(*(Split(p.images, p.labels.float() / 9, p.indices) for p in parts))
    training = build(spec(architecture="linear", loss="l2", checkpoints=[]), Data((), numbers))
    inputs_NCHW, targets_N = training.on_device(training.splits.train).batch(slice(None))
    ones_N1 = torch.ones(len(targets_N), 1)
    design_ND = torch.cat([inputs_NCHW.flatten(1), ones_N1], 1).double()
    solution_D = torch.linalg.pinv(design_ND) @ targets_N.double()
    with torch.no_grad():
        for parameter in training.model.parameters():
            own = solution_D[-1:] if parameter.ndim == 1 else solution_D[:-1]
            parameter.copy_(own.view_as(parameter))
    at_zero_D = torch.zeros_like(solution_D)
    losses = [((design_ND @ w - targets_N).square().mean()) for w in (solution_D, at_zero_D)]
    exact = torch.linalg.eigvalsh(2 * design_ND.T @ design_ND / len(targets_N))

    outcome = analyse("curvature", subject(training), tolerance=0, iterations=200, probes=50)
    result = outcome.result
    assert losses[0] < losses[1]
    factor = result["loss"] / losses[0].item()  # the loss may be a half of the square
    assert factor == pytest.approx(1.0, rel=1e-5) or factor == pytest.approx(0.5, rel=1e-5)
    assert (result["point"], result["is_critical"]) == ("minimum-like", True)
    assert result["lambda_max"]["value"] == pytest.approx(factor * exact[-1].item(), rel=1e-5)
    assert abs(result["lambda_min"]["value"]) < 1e-9 * exact[-1].item(), "constant pixels are flat"
    trace, error = result["trace"]["value"], result["trace"]["standard_error"]
    assert abs(trace - factor * exact.sum().item()) < 4 * error


def test_no_eigenvalue_is_said_to_be_more_exact_than_the_arithmetic() -> None:
    result = analyse("curvature", subject(network()), probes=0).result
    largest = result["lambda_max"]
    assert largest["residual"] >= 1e-16 * largest["value"]
    assert largest["interval"][0] < largest["value"] < largest["interval"][1]


def test_numbers_percentages_and_amounts_are_written_as_in_print() -> None:
    assert (number(-0.0072951), number(5e-15, 1)) == ("−0.007295", "5e−15")
    assert (percent(0.0254), percent(1, 0)) == ("2.5 %", "100 %")
    assert (count(1, "sample"), count(1200, "sample")) == ("1 sample", "1,200 samples")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.03, 2, [0.05, 0.1, 0.2, 0.5, 1, 2]), (1e-3, 1e3, [1e-3, 0.01, 0.1, 1, 10, 100, 1e3])],
)
def test_a_logarithmic_axis_has_round_numbers(
    low: float, high: float, expected: list[float]
) -> None:
    assert ticks(low, high) == pytest.approx(expected)
    assert len(ticks(1e-200, 1e200)) <= 12


@pytest.mark.parametrize("values", [[], [math.nan], [1, 2], [0, 100], [-1, 100], [5, 5]])
def test_values_that_suit_a_linear_axis_keep_it(values: list[float]) -> None:
    use_log_scale(None, "y", values)  # nothing is called
