"""The extreme eigenvalues of a symmetric matrix of which only products with vectors are known.

Lanczos 1950; Golub & Van Loan 2013, Matrix computations, section 10.1. Axes: P size of the matrix,
K iterations.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from worker.analyses.partial_results import Part, PartialResults

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

    @classmethod
    def of_part(cls, part: Part) -> Self:
        """Return the spectrum that a part has."""
        is_orthogonal = bool(part["is_orthogonal"])
        return cls(part["values"], part["residuals"], part["ends"], is_orthogonal)

    def part(self) -> Part:
        """Return the spectrum as a part of an analysis."""
        return {
            "values": self.values_K,
            "residuals": self.residuals_K,
            "ends": self.ends_K2,
            "is_orthogonal": torch.tensor(self.is_orthogonal),
        }

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
    partial: PartialResults,
    name: str,
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
        partial: has the state after each iteration, and at the end only the spectrum.
        name: of the spectrum among the partial results.
    """
    known = partial.get(name)
    if known is not None:
        return Spectrum.of_part(known)
    state = f"{name}/state"
    recurrence = _Recurrence(start_P, iterations, partial.get(state))
    while not recurrence.has_ended(tolerance):
        recurrence.advance(product(recurrence.vector_P))
        partial.put(state, recurrence.part())
        on_iteration()
    spectrum = recurrence.spectrum()
    partial.put(name, spectrum.part(), instead_of=state)
    return spectrum


class _Recurrence:
    """The three-term recurrence, and the vectors so far where they fit into memory.

    Args:
        start_P: any vector that is not 0.
        iterations: at most so many.
        part: the state of an earlier attempt.
    """

    def __init__(self, start_P: Tensor, iterations: int, part: Part | None) -> None:
        self._epsilon = torch.finfo(start_P.dtype).eps
        self._iterations = min(iterations, len(start_P))
        keeps_basis = basis_bytes(iterations, len(start_P), start_P.element_size()) > 0
        self._basis_KP = start_P.new_empty(self._iterations if keeps_basis else 0, len(start_P))
        self.vector_P, self._previous_P = start_P / start_P.norm(), torch.zeros_like(start_P)
        self._diagonal: list[float] = []
        #: One more than the matrix has next to its diagonal: the last is that of the residuals.
        self._betas: list[float] = []
        self._ends: list[tuple[float, float]] = []
        if part is not None:
            self._restore(part)

    def has_ended(self, tolerance: float) -> bool:
        """Return whether no iteration is left or needed."""
        if not self._diagonal:
            return False
        values_K, residuals_K = _ritz(self._diagonal, self._betas)
        smallest = torch.finfo(self.vector_P.dtype).tiny
        largest = max(values_K.abs().max().item(), smallest)
        return (
            len(self._diagonal) == self._iterations
            or self._betas[-1] <= 10 * self._epsilon * largest  # the subspace is invariant
            or _has_converged(self._ends, residuals_K, tolerance)
        )

    def advance(self, product_P: Tensor) -> None:
        """Add an iteration, from the product of the matrix with the current vector."""
        index, beta = len(self._diagonal), self._betas[-1] if self._betas else 0.0
        self._diagonal.append(torch.dot(self.vector_P.double(), product_P.double()).item())
        next_P = product_P - self._diagonal[-1] * self.vector_P - beta * self._previous_P
        if len(self._basis_KP):
            self._basis_KP[index] = self.vector_P
            known_KP = self._basis_KP[: index + 1]
            for _ in range(2):  # twice is enough: Parlett 1998, section 6.9
                next_P -= known_KP.T @ (known_KP @ next_P)
        self._betas.append(next_P.double().norm().item())
        values_K, _ = _ritz(self._diagonal, self._betas)
        self._ends.append((values_K[0].item(), values_K[-1].item()))
        # A vector of length 0 has no direction; the subspace is then invariant.
        self._previous_P, self.vector_P = self.vector_P, next_P / (self._betas[-1] or 1.0)

    def spectrum(self) -> Spectrum:
        """Return the Ritz values so far."""
        ends_K2 = torch.tensor(self._ends, dtype=torch.float64)
        return Spectrum(*_ritz(self._diagonal, self._betas), ends_K2, len(self._basis_KP) > 0)

    def part(self) -> Part:
        """Return the state. Rows of the basis are not written twice, so they are not copied."""
        return {
            "basis": self._basis_KP[: len(self._diagonal)],
            "vector": self.vector_P,
            "previous": self._previous_P,
            "diagonal": torch.tensor(self._diagonal, dtype=torch.float64),
            "betas": torch.tensor(self._betas, dtype=torch.float64),
            "ends": torch.tensor(self._ends, dtype=torch.float64),
        }

    def _restore(self, part: Part) -> None:
        self._basis_KP[: len(part["basis"])] = part["basis"].to(self.vector_P)
        self._previous_P = part["previous"].to(self.vector_P)
        self.vector_P = part["vector"].to(self.vector_P)
        self._diagonal, self._betas = part["diagonal"].tolist(), part["betas"].tolist()
        self._ends = [(low, high) for low, high in part["ends"].tolist()]


def _ritz(diagonal: list[float], betas: list[float]) -> tuple[Tensor, Tensor]:
    """Return the eigenvalues of the tridiagonal matrix, and their residuals β·|s_K|."""
    middle = torch.tensor(diagonal, dtype=torch.float64).diag()
    next_to_it = torch.tensor(betas[:-1], dtype=torch.float64)
    matrix_KK = middle + next_to_it.diag(1) + next_to_it.diag(-1) if len(next_to_it) else middle
    values_K, vectors_KK = torch.linalg.eigh(matrix_KK)
    return values_K, betas[-1] * vectors_KK[-1].abs()


def _has_converged(ends: list[tuple[float, float]], residuals_K: Tensor, tolerance: float) -> bool:
    if len(ends) < MIN_ITERATIONS:
        return False
    allowed = tolerance * max(map(abs, ends[-1]))
    is_exact = max(residuals_K[0].item(), residuals_K[-1].item()) <= allowed
    before = ends[-STABLE_ITERATIONS]
    is_stable = all(abs(new - old) <= allowed for new, old in zip(ends[-1], before, strict=True))
    return is_exact and is_stable
