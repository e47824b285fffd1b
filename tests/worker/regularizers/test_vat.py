"""Virtual adversarial training, compared with brute force, and its replayed forward passes."""

from math import cos, pi, sin
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.worker.experiments import data, experiment, vgg
from worker.regularizers.vat import (
    adversarial_direction,
    divergence,
    unit,
    virtual_adversarial_loss,
)
from worker.training.fit import fit
from worker.training.replay import Replay
from worker.training.reports import EpochEnded, Fitted
from worker.training.seed import reseed

EPSILON = 1e-4


def _network(inputs: int, dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(4)
    layers = nn.Sequential(nn.Linear(inputs, 16), nn.Tanh(), nn.Linear(16, 3))
    return layers.to(dtype)


def _directions(inputs: int) -> Tensor:
    """Directions in two or three dimensions, dense enough for a maximum: [D, inputs]."""
    if inputs == 2:
        angles = [2 * pi * part / 2000 for part in range(2000)]
        return torch.tensor([[cos(angle), sin(angle)] for angle in angles])
    golden = pi * (3 - 5**0.5)
    heights = [1 - (2 * part + 1) / 20_000 for part in range(20_000)]
    around = [(1 - height**2) ** 0.5 for height in heights]
    return torch.tensor(
        [
            [radius * cos(golden * part), radius * sin(golden * part), height]
            for part, (radius, height) in enumerate(zip(around, heights, strict=True))
        ]
    )


def _changes(network: nn.Module, point: Tensor, directions: Tensor) -> Tensor:
    """KL(p(x) ‖ p(x + ε·direction)) for one x and many directions, in float64."""
    wide = _network(len(point), torch.float64)
    wide.load_state_dict(network.state_dict())
    with torch.no_grad():
        log_p = wide(point.double().unsqueeze(0)).log_softmax(1)
        log_q = wide(point.double() + EPSILON * directions.double()).log_softmax(1)
        return divergence(log_p, log_q)


@pytest.mark.parametrize("inputs", [2, 3])
@pytest.mark.parametrize("xi", [0.0, 1e-6, 1e-3])
def test_direction_equals_the_direction_found_by_brute_force(inputs: int, xi: float) -> None:
    network, points = _network(inputs), torch.randn(8, inputs) + 1
    log_p = network(points).detach().log_softmax(1)
    found = adversarial_direction(network, points, log_p, iterations=20, xi=xi)
    for point, direction in zip(points, found, strict=True):
        best = _changes(network, point, _directions(inputs)).max()
        assert _changes(network, point, direction.unsqueeze(0)).item() > 0.99 * best.item()


def test_iteration_equals_the_step_of_the_paper_in_float64() -> None:
    """In float64 the finite difference over 1e-6 is accurate enough."""
    network, points = _network(3), torch.randn(16, 3)
    log_p = network(points).detach().log_softmax(1)
    torch.manual_seed(9)
    ours = adversarial_direction(network, points, log_p, iterations=1, xi=1e-6)
    torch.manual_seed(9)
    start = torch.randn_like(points).double()
    start /= start.norm(dim=1, keepdim=True)
    wide = network.double()
    log_p = wide(points.double()).detach().log_softmax(1)
    step = (1e-6 * start).requires_grad_()
    log_q = wide(points.double() + step).log_softmax(1)
    (slope,) = torch.autograd.grad(divergence(log_p, log_q).sum(), step)
    theirs = slope / slope.norm(dim=1, keepdim=True)
    assert torch.allclose(ours.double(), theirs, atol=1e-4)


@pytest.mark.parametrize("size", [32, 1024])
def test_perturbation_of_a_large_image_has_norm_1(size: int) -> None:
    values_NCHW = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    for layout in (torch.contiguous_format, torch.channels_last):
        directions_NCHW = unit(values_NCHW.contiguous(memory_format=layout), values_NCHW)
        norms_N = directions_NCHW.double().square().sum((1, 2, 3)).sqrt()
        assert norms_N.tolist() == pytest.approx([1, 1], rel=1e-6)


def test_unit_has_norm_1_for_any_scale() -> None:
    values = torch.randn(3, 2, 4, 4) * torch.tensor([1e-30, 1.0, 1e30]).view(3, 1, 1, 1)
    norms = unit(values, values).flatten(1).norm(dim=1)
    assert torch.allclose(norms, torch.ones(3))


def test_unit_of_zeros_is_the_other_value() -> None:
    other = torch.tensor([[0.6, 0.8], [1.0, 0.0]])
    assert torch.equal(unit(torch.tensor([[0.0, 0.0], [0.0, 2.0]]), other)[0], other[0])


def _term(network: Any, images: Tensor, **parameters: Any) -> Tensor:
    settings = {"weight": 1.0, "epsilon": 2.0, "power_iterations": 1, "xi": 1e-6, **parameters}
    return virtual_adversarial_loss(network, images, network(images), **settings)


def test_perturbation_has_norm_epsilon_for_each_sample() -> None:
    network, calls = _network(3), []

    def forward(images: Tensor) -> Tensor:
        calls.append(images.detach())
        return network(images)

    images = torch.randn(10, 3)
    _term(forward, images, epsilon=0.5, power_iterations=2)
    assert len(calls) == 1 + 2 + 1
    assert torch.allclose((calls[-1] - images).norm(dim=1), torch.full((10,), 0.5), rtol=1e-5)


def test_term_is_proportional_to_the_weight_and_not_negative() -> None:
    network, images = _network(3), torch.randn(64, 3)
    terms = []
    for weight in (1.0, 3.0):
        torch.manual_seed(0)
        terms.append(_term(network, images, weight=weight).item())
    assert terms[0] > 0
    assert terms[1] == pytest.approx(3 * terms[0])
    log_p, log_q = (torch.randn(100, 5).log_softmax(1) for _ in range(2))
    assert divergence(log_p, log_q).min() >= 0
    assert divergence(log_p, log_p).abs().max() == 0


def test_p_is_constant_and_gradients_are_finite() -> None:
    network, images = _network(3), torch.randn(8, 3)
    logits = network(images).detach().requires_grad_()
    settings = {"weight": 1.0, "epsilon": 2.0, "power_iterations": 1, "xi": 1e-6}
    virtual_adversarial_loss(network, images, logits, **settings).backward()
    assert logits.grad is None
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()


def test_constant_network_has_a_term_of_0() -> None:
    network = _network(3)
    nn.init.zeros_(network[0].weight)  # pyright: ignore[reportIndexIssue]
    term = _term(network, torch.randn(8, 3))
    assert term.item() == pytest.approx(0, abs=1e-7)


class TestReplay:
    def test_replay_gives_the_same_bits_with_dropout_and_batch_norm(self) -> None:
        training = experiment(architecture=vgg(dropout=0.5))
        images = torch.randn(8, 3, 8, 8).contiguous(memory_format=torch.channels_last)
        reseed(0, 1, training.device)
        replay = Replay(training)
        first = training.model(images)
        assert torch.equal(replay(images), first)
        torch.randn(3)
        assert torch.equal(replay(images), first)
        assert not torch.equal(training.model(images), first), "dropout is active here"

    def test_replay_does_not_change_the_network(self) -> None:
        training = experiment(architecture=vgg())
        before = {name: b.clone() for name, b in training.model.named_buffers()}
        Replay(training)(torch.randn(8, 3, 8, 8))
        assert before
        for name, buffer in training.model.named_buffers():
            assert torch.equal(buffer, before[name]), name
        training.model(torch.randn(8, 3, 8, 8))
        changed = [n for n, b in training.model.named_buffers() if not torch.equal(b, before[n])]
        assert len(changed) == len(before), "statistics are updated again afterwards"


def _run(**fields: Any) -> tuple[dict[str, float], dict[str, Tensor]]:
    metrics: dict[str, float] = {}
    for report in fit(experiment(bundle=data(train=8), **fields)):
        if isinstance(report, EpochEnded):
            metrics = dict(report.metrics)
        if isinstance(report, Fitted):
            return metrics, report.snapshot().model
    raise AssertionError("fit did not finish")


def test_vat_does_not_change_the_statistics_of_batch_norm() -> None:
    fields = {"architecture": vgg(dropout=0.5), "training": {"epochs": 1}}
    plain, virtual = _run(**fields), _run(**fields, regularizers={"vat": {}})
    assert virtual[0]["train_data_loss"] == plain[0]["train_data_loss"]
    buffers = [name for name in plain[1] if "running" in name or "tracked" in name]
    assert buffers
    for name in buffers:
        assert torch.equal(virtual[1][name], plain[1][name]), name
    assert not torch.equal(*(end[1]["head.output.weight"] for end in (plain, virtual)))


def test_term_is_part_of_the_penalty() -> None:
    fields = {"optimizer": {"name": "sgd", "learning_rate": 1e-30}, "training": {"epochs": 1}}
    penalties = {}
    for names in (("vat",), ("l2",), ("l2", "vat")):
        metrics, _ = _run(**fields, regularizers={name: {} for name in names})
        penalties[names] = metrics["train_penalty"]
        total = metrics["train_data_loss"] + metrics["train_penalty"]
        assert metrics["train_loss"] == total
    assert penalties["vat",] > 0
    assert penalties["l2", "vat"] == pytest.approx(penalties["vat",] + penalties["l2",])


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_vat_trains_in_half_precision(precision: str) -> None:
    metrics, _ = _run(
        architecture=vgg(dropout=0.5),
        regularizers={"vat": {}, "mixup": {}},
        training={"precision": precision},
    )
    assert metrics["train_penalty"] > 0
