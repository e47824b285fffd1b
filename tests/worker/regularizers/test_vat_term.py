"""The term of virtual adversarial training equals torch's KL divergence. Axes: M classes."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from worker.registry import regularizers

SAMPLES = 8


def _network() -> nn.Module:
    """A network so steep that KL(p ‖ q) and KL(q ‖ p) differ clearly."""
    torch.manual_seed(4)
    network = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 3))
    nn.init.normal_(network[2].weight, std=3.0)  # pyright: ignore[reportArgumentType]
    return network


def _term(**changes: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The term with the method's defaults, log p and log q at x and x + r, and r."""
    network, calls = _network(), []
    images = torch.randn(SAMPLES, 3)

    def forward(inputs: Tensor) -> Tensor:
        calls.append(inputs.detach())
        return network(inputs)

    entry = regularizers.get("vat")
    term = entry.function(**entry.check({**entry.defaults, **changes})).on_forward(
        forward, images, network(images)
    )
    with torch.no_grad():
        log_p_NM, log_q_NM = (network(at).log_softmax(1) for at in (images, calls[-1]))
    return term.detach(), log_p_NM, log_q_NM, calls[-1] - images


@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_term_is_the_weight_times_the_mean_divergence_from_p_to_q(weight: float) -> None:
    term, log_p, log_q, _ = _term(weight=weight)
    expected = functional.kl_div(log_q, log_p, log_target=True, reduction="batchmean")
    reverse = functional.kl_div(log_p, log_q, log_target=True, reduction="batchmean")
    assert term.item() == pytest.approx(weight * expected.item(), rel=1e-4)
    assert reverse.item() != pytest.approx(expected.item(), rel=0.05), (
        "the two directions of KL differ here"
    )


def test_default_weight_is_1_and_default_epsilon_is_2() -> None:
    term, log_p, log_q, r = _term()
    assert torch.allclose(r.norm(dim=1), torch.full((SAMPLES,), 2.0), rtol=1e-5)
    expected = functional.kl_div(log_q, log_p, log_target=True, reduction="batchmean")
    assert term.item() == pytest.approx(expected.item(), rel=1e-4)
