"""Lanczos against matrices whose eigenvalues are known."""

import pytest
import torch
from torch import Tensor

from worker.analyses import lanczos as module
from worker.analyses.lanczos import Spectrum, lanczos
from worker.analyses.partial_results import PartialResults
from worker.analyses.verdict import flat_limit, shape_of


def _spectrum(matrix_PP: Tensor, iterations: int = 1000, tolerance: float = 0.0) -> Spectrum:
    start_P = torch.randn(len(matrix_PP), dtype=matrix_PP.dtype)
    return lanczos(
        lambda vector_P: matrix_PP @ vector_P,
        start_P,
        iterations=iterations,
        tolerance=tolerance,
        on_iteration=lambda: None,
        partial=PartialResults(),
        name="spectrum",
    )


def _diagonal(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).diag()


def _shape(matrix_PP: Tensor, iterations: int = 1000) -> str:
    spectrum = _spectrum(matrix_PP, iterations)
    return shape_of(spectrum, flat_limit(spectrum, 1e-12))


def test_the_saddle_of_the_slide_has_the_eigenvalues_2_and_minus_2() -> None:
    """f(x) = x₁² − x₂² has the Hessian diag(2, −2)."""
    spectrum = _spectrum(_diagonal(2, -2))
    assert spectrum.values_K.tolist() == pytest.approx([-2, 2], abs=1e-14)
    assert _shape(_diagonal(2, -2)) == "saddle"


def test_all_eigenvalues_of_a_dense_matrix_are_found_once() -> None:
    values = torch.linspace(-3, 7, 50, dtype=torch.float64)
    rotation, _ = torch.linalg.qr(torch.randn(50, 50, dtype=torch.float64))
    spectrum = _spectrum(rotation @ values.diag() @ rotation.T)
    torch.testing.assert_close(spectrum.values_K, values, rtol=0, atol=1e-12)
    assert spectrum.is_orthogonal


def test_it_ends_early_where_the_subspace_is_invariant() -> None:
    spectrum = _spectrum(_diagonal(*[5.0] * 10, *[-1.0] * 10))
    assert spectrum.values_K.tolist() == pytest.approx([-1, 5], abs=1e-12)
    assert spectrum.residuals_K.max() < 1e-12


def test_it_ends_early_where_both_ends_are_exact_enough_but_not_before_40_iterations() -> None:
    matrix = torch.linspace(1, 2, 300, dtype=torch.float64).diag()
    matrix[0, 0], matrix[1, 1] = -10, 10
    spectrum = _spectrum(matrix, tolerance=1e-3)
    assert len(spectrum.values_K) == 40
    assert spectrum.lowest[0] == pytest.approx(-10, rel=1e-9)


def test_an_eigenvalue_is_no_farther_away_than_the_residual() -> None:
    exact = torch.randn(200, dtype=torch.float64).sort().values
    spectrum = _spectrum(exact.diag(), iterations=12)
    distances_K = (spectrum.values_K[:, None] - exact).abs().min(1).values
    assert (distances_K <= spectrum.residuals_K + 1e-12).all()
    assert spectrum.residuals_K.max() > 0.1


def test_without_a_basis_the_ends_stay_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BASIS_BYTES", 0)
    exact = torch.randn(300, dtype=torch.float64).sort().values
    spectrum = _spectrum(exact.diag(), iterations=250)
    assert not spectrum.is_orthogonal
    assert spectrum.lowest[0] == pytest.approx(exact[0].item(), rel=2e-5)
    assert spectrum.highest[0] == pytest.approx(exact[-1].item(), rel=2e-5)


@pytest.mark.parametrize(
    ("values", "shape"),
    [
        ([3, 1, 0, 0], "minimum-like"),
        ([3, 1, -0.01, 0], "minimum-like"),
        ([3, 1, -0.05], "saddle"),
        ([-3, -1, 0], "maximum"),
        ([0, 0, 0], "flat"),
    ],
)
def test_each_shape_has_its_word(values: list[float], shape: str) -> None:
    assert _shape(_diagonal(*values)) == shape


def test_too_few_iterations_are_undetermined() -> None:
    matrix = torch.linspace(0.001, 3, 500, dtype=torch.float64).diag()
    assert _shape(matrix, iterations=2) == "undetermined"
    assert _shape(matrix, iterations=60) == "minimum-like"
