"""The extreme eigenvalues of a symmetric matrix of which only products with vectors are known.

Lanczos 1950; Golub & Van Loan 2013, Matrix computations, section 10.1. Axes: P size of the matrix,
K iterations.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

#: Larger bases are not kept. Without them ends stay right, but values appear several times.
MAX_BASIS_BYTES = 2**30
#: The smallest eigenvalue of a trained network hides in the bulk and shows late: at 20 iterations
#: it was off by 22 %, at 40 by 0.1 %.
MIN_ITERATIONS = 40
#: The ends must also stay the same over this many iterations.
STABLE_ITERATIONS = 5


@dataclass(frozen=True)
class Spectrum:
    """The Ritz values: eigenvalues of the matrix on the subspace, in increasing order."""

    #: float64 [K].
    values_K: Tensor
    #: ‖Hv − λv‖ of each value; an eigenvalue of H is no farther away than this.
    residuals_K: Tensor
    #: The lowest and the highest value after each iteration, float64 [K, 2].
    ends_K2: Tensor
    #: Whether all vectors were kept orthogonal, so that no value appears twice.
    is_orthogonal: bool

    @property
    def lowest(self) -> tuple[float, float]:
        """The lowest value and its residual."""
        return self.values_K[0].item(), self.residuals_K[0].item()

    @property
    def highest(self) -> tuple[float, float]:
        """The highest value and its residual."""
        return self.values_K[-1].item(), self.residuals_K[-1].item()


def basis_bytes(iterations: int, size: int, item_bytes: int) -> int:
    """Return the memory of the basis; 0 where it is too large to be kept."""
    needed = min(iterations, size) * size * item_bytes
    return needed if needed <= MAX_BASIS_BYTES else 0


def lanczos(
    product: Callable[[Tensor], Tensor],
    start_P: Tensor,
    *,
    iterations: int,
    tolerance: float,
    on_iteration: Callable[[], None],
) -> Spectrum:
    """Return the Ritz values of a symmetric matrix.

    It ends early once both ends have residuals below `tolerance` times the largest modulus, or
    where the subspace is invariant.

    Args:
        product: the matrix times a vector.
        start_P: any vector that is not 0; not changed.
        iterations: at most so many products.
        tolerance: relative; 0 uses all iterations.
        on_iteration: called after each product.
    """
    size, epsilon = len(start_P), torch.finfo(start_P.dtype).eps
    iterations = min(iterations, size)
    keeps_basis = basis_bytes(iterations, size, start_P.element_size()) > 0
    basis_KP = start_P.new_empty(iterations if keeps_basis else 0, size)
    vector_P, previous_P = start_P / start_P.norm(), torch.zeros_like(start_P)
    diagonal: list[float] = []
    off_diagonal: list[float] = []
    ends: list[tuple[float, float]] = []
    values_K = residuals_K = torch.zeros(0, dtype=torch.float64)
    beta = 0.0
    for index in range(iterations):
        next_P = product(vector_P)
        on_iteration()
        diagonal.append(torch.dot(vector_P.double(), next_P.double()).item())
        next_P = next_P - diagonal[-1] * vector_P - beta * previous_P
        if keeps_basis:
            basis_KP[index] = vector_P
            known_KP = basis_KP[: index + 1]
            for _ in range(2):  # twice is enough: Parlett 1998, section 6.9
                next_P -= known_KP.T @ (known_KP @ next_P)
        beta = next_P.double().norm().item()
        values_K, residuals_K = _ritz(diagonal, off_diagonal, beta)
        ends.append((values_K[0].item(), values_K[-1].item()))
        largest = values_K.abs().max().item()
        is_invariant = beta <= 10 * epsilon * max(largest, torch.finfo(start_P.dtype).tiny)
        if is_invariant or _has_converged(ends, residuals_K, tolerance):
            break
        off_diagonal.append(beta)
        previous_P, vector_P = vector_P, next_P / beta
    return Spectrum(values_K, residuals_K, torch.tensor(ends, dtype=torch.float64), keeps_basis)


def _ritz(diagonal: list[float], off_diagonal: list[float], beta: float) -> tuple[Tensor, Tensor]:
    """Return the eigenvalues of the tridiagonal matrix, and their residuals β·|s_K|."""
    middle = torch.tensor(diagonal, dtype=torch.float64).diag()
    next_to_it = torch.tensor(off_diagonal, dtype=torch.float64)
    matrix_KK = middle + next_to_it.diag(1) + next_to_it.diag(-1) if len(next_to_it) else middle
    values_K, vectors_KK = torch.linalg.eigh(matrix_KK)
    return values_K, beta * vectors_KK[-1].abs()


def _has_converged(ends: list[tuple[float, float]], residuals_K: Tensor, tolerance: float) -> bool:
    if len(ends) < MIN_ITERATIONS:
        return False
    allowed = tolerance * max(map(abs, ends[-1]))
    is_exact = max(residuals_K[0].item(), residuals_K[-1].item()) <= allowed
    before = ends[-STABLE_ITERATIONS]
    is_stable = all(abs(new - old) <= allowed for new, old in zip(ends[-1], before, strict=True))
    return is_exact and is_stable
