"""The curvature of networks whose Hessians are known."""

import math
from typing import Any

import pytest
import torch

from tests.worker.analyses.subjects import analyse, network, subject, trained
from tests.worker.analyses.test_objective import dense_hessian
from worker.analyses import objective as module
from worker.analyses.objective import Objective
from worker.analyses.subject import Stopped
from worker.analyses.verdict import NOT_CRITICAL


def _ends(result: dict[str, Any]) -> tuple[float, float]:
    return result["lambda_min"]["value"], result["lambda_max"]["value"]


@pytest.mark.parametrize(
    ("largest_in_double", "precision", "tolerance"),
    [(10**6, "float64", 1e-9), (0, "float32", 1e-5)],
)
def test_both_ends_agree_with_the_dense_hessian_of_610_parameters(
    largest_in_double: int, precision: str, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = trained()
    whole = Objective(subject(training), torch.arange(256), dtype=torch.float64)
    exact = torch.linalg.eigvalsh(dense_hessian(whole))
    monkeypatch.setattr(module, "MAX_DOUBLE_PARAMETERS", largest_in_double)
    result = analyse("curvature", subject(training), iterations=150, tolerance=0, probes=0).result
    assert (result["parameters"], result["precision"]) == (610, precision)
    assert _ends(result) == pytest.approx(
        (exact[0].item(), exact[-1].item()), abs=tolerance * exact[-1].item()
    )


def test_softmax_regression_is_convex() -> None:
    result = analyse("curvature", subject(network(architecture="linear")), iterations=200).result
    lowest, highest = _ends(result)
    assert lowest >= -1e-6 * highest
    assert result["curvature"] == "minimum-like"


def test_zero_weights_of_a_tanh_network_are_an_exact_strict_saddle() -> None:
    """With the log of the class shares as bias, the gradient is 0 and λ = ±σ₁(E[(p − y)xᵀ])."""
    training = network(initializer="zeros")
    labels_N = training.splits.train.labels
    shares_M = torch.bincount(labels_N, minlength=10).double() / len(labels_N)
    with torch.no_grad():
        training.model.get_parameter("head.output.bias").copy_(shares_M.log())
    # float32 rounds the bias, so the gradient is at the rounding of float32
    inputs_NCHW, _ = training.on_device(training.splits.train).batch(slice(None))
    one_hot_NM = torch.nn.functional.one_hot(labels_N, 10).double()
    cross_MD = (shares_M - one_hot_NM).T @ inputs_NCHW.flatten(1).double() / len(labels_N)
    sigma = torch.linalg.svdvals(cross_MD)[0].item()

    result = analyse("curvature", subject(training), tolerance=0).result
    assert result["gradient_norm"] < 1e-7
    assert _ends(result) == pytest.approx((-sigma, sigma), rel=1e-6)
    assert (result["point"], result["is_critical"]) == ("saddle", True)


def test_a_network_that_still_learns_is_not_at_a_critical_point() -> None:
    result = analyse("curvature", subject(trained(epochs=3))).result
    assert (result["point"], result["is_critical"]) == (NOT_CRITICAL, False)
    assert result["relative_decrease"] > 1e-3
    assert result["curvature"] in {"saddle", "minimum-like"}


def test_a_small_sample_overstates_the_largest_eigenvalue() -> None:
    """Its mean over samples is at least that of all, since λmax is convex (Jensen)."""

    def highest(**parameters: int) -> float:
        analysed = subject(trained(train=1200))
        return analyse("curvature", analysed, probes=0, **parameters).result["lambda_max"]["value"]

    sampled = [highest(samples=128, seed=seed) for seed in range(4)]
    assert sum(sampled) / 4 > 1.1 * highest()


def test_halves_of_the_sample_show_its_bias() -> None:
    result = analyse("curvature", subject(trained(train=1200)), samples=128, probes=0).result
    mean = sum(half["lambda_max"] for half in result["halves"]) / 2
    assert mean >= result["lambda_max"]["value"]


def test_the_trace_is_the_sum_of_the_eigenvalues() -> None:
    training = trained()
    whole = Objective(subject(training), torch.arange(256), dtype=torch.float64)
    exact = dense_hessian(whole).trace().item()
    trace = analyse("curvature", subject(training), probes=200).result["trace"]
    assert abs(trace["value"] - exact) < 4 * trace["standard_error"]


@pytest.mark.parametrize(("nesterov", "edge"), [(False, 380.0), (True, 380.0 / 2.8)])
def test_the_stability_edge_is_that_of_momentum(nesterov: bool, edge: float) -> None:
    """At the edge, gradient descent on a parabola of this curvature neither grows nor shrinks."""
    training = network()
    optimizer = {"name": "sgd", "momentum": 0.9, "nesterov": nesterov}
    analysed = type(subject(training))(training, training.stages[-1], optimizer)
    found = analyse("curvature", analysed, iterations=2, probes=0).result["stability_edge"]
    assert found["lambda"] == pytest.approx(edge)
    for factor, grows in ((0.99, False), (1.01, True)):
        position, velocity = 1.0, 0.0
        for _ in range(2000):
            slope = factor * edge * position
            velocity = 0.9 * velocity + slope
            position -= 0.01 * (slope + 0.9 * velocity if nesterov else velocity)
        assert (abs(position) > 1) == grows


def test_other_optimizers_have_no_stability_edge() -> None:
    training = network()
    analysed = type(subject(training))(training, training.stages[-1], {"name": "adam"})
    result = analyse("curvature", analysed, iterations=2, probes=0).result
    assert result["stability_edge"] is None


def test_equal_requests_have_equal_results() -> None:
    first, second = (analyse("curvature", subject(trained())).result for _ in range(2))
    assert first == second


def test_progress_grows_to_the_end_and_a_stop_ends_the_analysis() -> None:
    reports: list[float] = []
    analyse(
        "curvature", subject(network(), report=lambda done, total: reports.append(done / total))
    )
    assert reports == sorted(reports)
    assert math.isclose(reports[-1], 1, abs_tol=0.02)

    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        analyse("curvature", subject(network(), check=stop))
