"""The curvature of the objective at a checkpoint: extreme eigenvalues of its Hessian."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from worker.analyses.lanczos import Spectrum, lanczos
from worker.analyses.objective import Objective
from worker.analyses.outcome import Outcome, Picture
from worker.analyses.partial_results import PartialResults
from worker.analyses.spectrum_picture import draw_spectrum
from worker.analyses.subject import AnalysisRefused, Subject, draw_samples, require_finite
from worker.analyses.verdict import NOT_CRITICAL, Shape, flat_limit, measure_slope, shape_of
from worker.analyses.wording import number, percent
from worker.registry import analyses, optimizers
from worker.training.seed import generator

Seed = Annotated[int, Field(ge=0, lt=2**53)]
MEANINGS: Mapping[str, str] = {
    "minimum-like": "No direction falls by more than rounding and the flat limit; some rise.",
    "saddle": "The objective rises in some directions and falls in others.",
    "maximum": "The objective falls in some directions and rises in none.",
    "flat": "No direction has curvature beyond rounding.",
    "undetermined": "The eigenvalues are not exact enough to decide. Use more iterations.",
    NOT_CRITICAL: "The gradient is not zero, so training could still go downhill from here.",
}


@analyses.register(
    source="Lanczos 1950; Pearlmutter 1994; Ghorbani et al. 2019, arXiv:1901.10159",
    derivatives=2,
    networks=1,
    vectors=8,
    basis="iterations",
)
def curvature(
    subject: Subject,
    /,
    *,
    samples: Annotated[int, Field(ge=8, le=1_000_000)] = 4096,
    iterations: Annotated[int, Field(ge=2, le=1000)] = 80,
    tolerance: Annotated[float, Field(ge=0, le=0.1)] = 1e-3,
    probes: Annotated[int, Field(ge=0, le=1000)] = 10,
    seed: Seed = 0,
) -> Outcome:
    """Extreme eigenvalues of the Hessian, its trace, and what kind of point the weights are.

    The objective is data loss + Ω on training samples without augmentation, in evaluation mode.
    A small sample is biased, not only noisy: its largest eigenvalue is too high on average
    (Jensen's inequality), so the result shows the eigenvalues of both halves of the sample too.

    Args:
        subject: the network and its data.
        samples: training samples; all of the split where it has no more.
        iterations: of Lanczos at most, each a product with the Hessian.
        tolerance: ends are exact enough when their residuals, relative to the largest modulus, are
            below it; 0 uses all iterations.
        probes: random vectors for the trace; 0 leaves it out.
        seed: of the sample, the start vector and the probes.
    """
    split = subject.experiment.splits.train
    samples_N = draw_samples(split, samples, seed)
    objective = Objective(subject, samples_N)
    if not objective.parameters:
        raise AnalysisRefused(
            "The stage of the checkpoint trains no weights, so nothing is curved. Analyse a "
            "checkpoint of another stage."
        )
    partial, done = subject.partial, 0
    # A product on half of the sample takes half as long, so the unit is half a product.
    steps = min(iterations, objective.size)
    total = 4 + 4 * steps + 2 * probes

    def advance(units: int) -> None:
        nonlocal done
        done += units
        subject.report(min(done, total), total)

    data_loss, penalty = objective.value()
    require_finite(data_loss + penalty)
    gradient_P = partial.once("gradient", objective.gradient).to(objective.parameters[0])
    is_sample = len(samples_N) < len(split.labels)
    slope = measure_slope(
        objective, gradient_P, value=data_loss + penalty, is_sample=is_sample, partial=partial
    )
    advance(4)
    start_P = _gaussian(objective, seed, "start")

    def spectrum_of(part: Objective, name: str, units: int) -> Spectrum:
        """Return the spectrum on some of the samples; a product takes so many units of time."""
        nonlocal done
        end = done + units * steps
        found = lanczos(
            part.product,
            start_P,
            iterations=iterations,
            tolerance=tolerance,
            on_iteration=lambda: advance(units),
            partial=partial,
            name=name,
        )
        done = end  # it may have ended early
        return found

    spectrum = spectrum_of(objective, "spectrum", 2)
    folds = objective.folds(2) if len(samples_N) > 1 else []
    halves = [spectrum_of(half, f"half/{index}", 1) for index, half in enumerate(folds)]
    traces: list[float] = []
    for index in range(probes):
        traces.append(_trace_sample(objective, seed, index, partial))
        advance(2)
    epsilon = torch.finfo(objective.dtype).eps * objective.size**0.5
    rounding = epsilon * max(1.0, abs(data_loss))
    # A smaller residual says nothing: products with the Hessian are not more exact than that.
    accuracy = epsilon * spectrum.values_K.abs().max().item()
    limit = flat_limit(spectrum, rounding)
    shape = shape_of(spectrum, limit)
    point = shape if slope.is_critical else NOT_CRITICAL
    result: dict[str, Any] = {
        "point": point,
        "meaning": MEANINGS[point],
        "curvature": shape,
        "is_critical": slope.is_critical,
        "lambda_max": _value(*spectrum.highest, accuracy),
        "lambda_min": _value(*spectrum.lowest, accuracy),
        "flat_limit": limit,
        "gradient_norm": slope.gradient_norm,
        "gradient_standard_error": slope.standard_error,
        "relative_decrease": slope.relative_decrease,
        "loss": data_loss + penalty,
        "data_loss": data_loss,
        "penalty": penalty,
        "halves": [
            {"lambda_max": half.highest[0], "lambda_min": half.lowest[0]} for half in halves
        ],
        "trace": _trace(traces),
        "stability_edge": _stability_edge(subject),
        "parameters": objective.size,
        "samples": len(samples_N),
        "seed": seed,
        "of_samples": len(split.labels),
        "iterations": len(spectrum.values_K),
        "is_orthogonal": spectrum.is_orthogonal,
        "precision": str(objective.dtype).removeprefix("torch."),
    }
    return Outcome(
        result,
        summary=tuple(_sentences(result, shape)),
        arrays={
            "ritz_values": spectrum.values_K,
            "residuals": spectrum.residuals_K,
            "ends_by_iteration": spectrum.ends_K2,
            "gradient_by_tensor": _norms(objective, gradient_P),
        },
        pictures=(Picture("spectrum", lambda drawing: draw_spectrum(drawing, spectrum, result)),),
    )


def _sentences(result: Mapping[str, Any], shape: Shape) -> Iterator[str]:
    """Yield what was found, for people."""
    point = result["point"]
    yield f"{point[0].upper()}{point[1:]}. {result['meaning']}"
    if not result["is_critical"]:
        decrease = result["relative_decrease"]
        by = percent(decrease) if decrease < 1 else "all of it"
        yield (
            f"‖gradient‖ is {number(result['gradient_norm'], 3)}: in the quadratic model, the best "
            f"step against it lowers the objective of {number(result['loss'])} by {by}."
        )
        yield f"By the eigenvalues alone: {shape}. {MEANINGS[shape]}"
    low, high = result["lambda_min"], result["lambda_max"]
    limit = number(result["flat_limit"], 2)
    yield (
        f"Eigenvalues from {_with_residual(low)} to {_with_residual(high)}; between −{limit} and "
        f"{limit} they count as flat."
    )
    if result["halves"]:
        halves = " and ".join(number(half["lambda_max"]) for half in result["halves"])
        yield f"Largest eigenvalue on each half of the {result['samples']:,} samples: {halves}."
    edge = result["stability_edge"]
    if edge is not None:
        share = percent(high["value"] / edge["lambda"])
        yield (
            f"The largest eigenvalue is {share} of {number(edge['lambda'])}, the stability edge of "
            f"the learning rate {edge['learning_rate']:g} with momentum {edge['momentum']:g}."
        )


def _with_residual(value: Mapping[str, Any]) -> str:
    return f"{number(value['value'])} ± {number(value['residual'], 1)}"


def _gaussian(objective: Objective, seed: int, *path: str | int) -> Tensor:
    """Return a vector of standard normal numbers, the same on every device."""
    drawn_P = torch.randn(
        objective.size, generator=generator(seed, "analysis", *path), dtype=torch.float64
    )
    return drawn_P.to(objective.parameters[0])


def _trace_sample(objective: Objective, seed: int, index: int, partial: PartialResults) -> float:
    """Return zᵀHz for random signs z, whose mean is the trace (Hutchinson 1990)."""

    def compute() -> Tensor:
        signs_P = _gaussian(objective, seed, "trace", index).sign()
        return torch.dot(signs_P.double(), objective.product(signs_P).double())

    return partial.once(f"trace/{index}", compute).item()


def _trace(samples: list[float]) -> dict[str, Any] | None:
    if not samples:
        return None
    values = torch.tensor(samples, dtype=torch.float64)
    error = (values.std() / len(samples) ** 0.5).item() if len(samples) > 1 else None
    return {"value": values.mean().item(), "standard_error": error, "probes": len(samples)}


def _stability_edge(subject: Subject) -> dict[str, float] | None:
    """Return the curvature above which full-batch gradient descent would oscillate ever wider.

    2(1+β)/η for the momentum β and the learning rate η; Nesterov's divides it by 1+2β. Cohen et
    al. 2021, arXiv:2103.00065, appendix B. None for other optimizers.
    """
    optimizer = dict(subject.optimizer)
    if not optimizer or not optimizers.get(optimizer["name"]).facts.get("has_stability_edge"):
        return None
    beta, rate = optimizer["momentum"], subject.stage.learning_rate
    edge = 2 * (1 + beta) / rate / (1 + 2 * beta if optimizer["nesterov"] else 1)
    return {"lambda": edge, "learning_rate": rate, "momentum": beta}


def _value(value: float, residual: float, accuracy: float) -> dict[str, Any]:
    """Return an eigenvalue with the interval in which an eigenvalue is known to be.

    Args:
        value: of the Ritz pair.
        residual: of the Ritz pair.
        accuracy: of the arithmetic.
    """
    residual = max(residual, accuracy)
    interval = [value - residual, value + residual]
    return {"value": value, "residual": residual, "interval": interval}


def _norms(objective: Objective, gradient_P: Tensor) -> Tensor:
    """Return the norm of the gradient of each tensor, in the network's order."""
    parts = gradient_P.split([parameter.numel() for parameter in objective.parameters])
    return torch.stack([part.double().norm() for part in parts])
