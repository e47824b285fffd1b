"""Gradients after clipping, and the metrics of clipping."""

from typing import Literal

import pytest
import torch
from torch import Tensor

from tests.worker.experiments import experiment
from worker.training.clipping import Clipping, clip
from worker.training.fit import fit
from worker.training.reports import EpochEnded
from worker.training.tensor_norms import euclidean_norms


def _clipped(
    kind: Literal["value", "norm", "global_norm"], bound: float
) -> tuple[list[Tensor], float]:
    gradients = [torch.tensor([3.0, -4.0]), torch.tensor([0.6, 0.8])]
    was_clipped = clip(gradients, euclidean_norms(gradients), Clipping(kind, bound))
    return gradients, was_clipped.item()


def test_value_bounds_each_component() -> None:
    gradients, was_clipped = _clipped("value", 0.7)
    assert torch.allclose(torch.cat(gradients), torch.tensor([0.7, -0.7, 0.6, 0.7]))
    assert was_clipped == 1


def test_norm_bounds_each_tensor() -> None:
    gradients, was_clipped = _clipped("norm", 2.0)
    assert torch.allclose(torch.cat(gradients), torch.tensor([1.2, -1.6, 0.6, 0.8]))
    assert was_clipped == 1


def test_global_norm_keeps_the_direction() -> None:
    gradients, was_clipped = _clipped("global_norm", 1.0)
    before = torch.tensor([3.0, -4.0, 0.6, 0.8])
    assert torch.allclose(torch.cat(gradients), before / before.norm())
    assert was_clipped == 1


@pytest.mark.parametrize("kind", ["value", "norm", "global_norm"])
def test_gradient_within_bounds_is_unchanged(
    kind: Literal["value", "norm", "global_norm"],
) -> None:
    gradients, was_clipped = _clipped(kind, 100.0)
    assert torch.equal(torch.cat(gradients), torch.tensor([3.0, -4.0, 0.6, 0.8]))
    assert was_clipped == 0


@pytest.mark.parametrize("kind", ["norm", "global_norm"])
@pytest.mark.parametrize("elements", [1, 10_000, 10_000_000])
def test_norm_slightly_above_the_bound_is_clipped_to_it(
    kind: Literal["norm", "global_norm"], elements: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    gradient = torch.rand(elements, generator=generator) + 0.5
    gradient.mul_(1.005 / gradient.double().norm())
    was_clipped = clip([gradient], euclidean_norms([gradient]), Clipping(kind, 1.0))
    assert gradient.double().norm().item() == pytest.approx(1, rel=1e-6)
    assert was_clipped == 1


def test_zero_gradient_stays_zero() -> None:
    gradients = [torch.zeros(3)]
    for kind in ("norm", "global_norm"):
        clip(gradients, euclidean_norms(gradients), Clipping(kind, 1.0))
        assert torch.equal(gradients[0], torch.zeros(3))


def _metrics(**optimizer: object) -> dict[str, float]:
    training = experiment(
        optimizer={"name": "sgd", "learning_rate": 1e-30, "momentum": 0.0, **optimizer}
    )
    return dict(next(r for r in fit(training) if isinstance(r, EpochEnded)).metrics)


def test_recorded_norm_is_taken_before_clipping() -> None:
    plain = _metrics()
    clipped = _metrics(gradient_clipping={"global_norm": 1e-3})
    assert clipped["gradient_norm"] == plain["gradient_norm"] > 1e-3
    assert clipped["clipped_fraction"] == 1.0
    assert "clipped_fraction" not in plain


def test_clipped_fraction_counts_steps() -> None:
    norms = []
    for batch in range(4):
        training = experiment(
            optimizer={"name": "sgd", "learning_rate": 1e-30, "momentum": 0.0},
            training={"epochs": 1},
        )
        before = 0.0
        for number, report in enumerate(fit(training), start=-1):
            if number == batch + 1:
                sums = report.snapshot().sums  # type: ignore[attr-defined]
                norms.append(sums["gradient_norm"] - before)
                break
            if number >= 1:
                before = report.snapshot().sums["gradient_norm"]  # type: ignore[attr-defined]
    bound = sorted(norms)[2] - 1e-4  # two of four are above
    assert _metrics(gradient_clipping={"global_norm": bound})["clipped_fraction"] == 0.5


def test_step_that_float16_skips_does_not_count_as_clipped() -> None:
    """Its gradient overflowed, and no weight was changed by it."""
    training = experiment(
        architecture={"name": "mlp", "hidden_units": [64]},
        initializer={"name": "normal", "scale": 0.5},
        optimizer={"name": "sgd", "gradient_clipping": {"global_norm": 1e6}},
        training={"precision": "float16", "epochs": 1},
    )
    (ended,) = (report for report in fit(training) if isinstance(report, EpochEnded))
    assert any("overflowed float16" in note for note in ended.notes)
    assert ended.metrics["clipped_fraction"] == 0.0
