"""Gradients and Hessian products of the objective against independent computations."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from tests.worker.analyses.subjects import network, subject
from tests.worker.experiments import experiment, vgg
from worker.analyses.objective import Objective
from worker.training.evaluation import score

PENALTIES = {"l1": {"weight": 0.01}, "l2": {"weight": 0.02}}


def _objective(training: Any, **options: Any) -> Objective:
    samples_N = torch.arange(len(training.splits.train.labels))
    return Objective(subject(training), samples_N, dtype=torch.float64, **options)


def _direction(objective: Objective) -> Tensor:
    direction_P = torch.randn(objective.size, dtype=torch.float64)
    return direction_P / direction_P.norm()


def _move(objective: Objective, step_P: Tensor) -> None:
    sizes = [parameter.numel() for parameter in objective.parameters]
    with torch.no_grad():
        for parameter, part in zip(objective.parameters, step_P.split(sizes), strict=True):
            parameter.add_(part.view_as(parameter))


def _central_difference(objective: Objective, direction_P: Tensor, step: float) -> Tensor:
    _move(objective, step * direction_P)
    after_P = objective.gradient()
    _move(objective, -2 * step * direction_P)
    before_P = objective.gradient()
    _move(objective, step * direction_P)
    return (after_P - before_P) / (2 * step)


@pytest.mark.parametrize(
    "fields",
    [
        {"architecture": {"name": "mlp", "hidden_units": [8], "activation": "tanh"}},
        {"architecture": vgg(activation="elu", batch_norm=True, dropout=0.0)},
        {"loss": "hinge", "architecture": {"name": "mlp", "activation": "tanh"}},
        {"loss": {"name": "cross_entropy", "class_weights": "balanced"}},
    ],
    ids=["mlp", "batch norm", "hinge", "class weights"],
)
def test_products_are_the_central_differences_of_gradients(fields: dict[str, Any]) -> None:
    objective = _objective(experiment(**fields, regularizers=PENALTIES))
    direction_P = _direction(objective)
    product_P = objective.product(direction_P)
    difference_P = _central_difference(objective, direction_P, 1e-6)
    assert (product_P - difference_P).norm() < 1e-6 * product_P.norm().clamp(min=1)


def test_the_gradient_is_the_central_difference_of_the_value() -> None:
    objective = _objective(network(regularizers=PENALTIES))
    direction_P, step = _direction(objective), 1e-6
    _move(objective, step * direction_P)
    after = sum(objective.value())
    _move(objective, -2 * step * direction_P)
    before = sum(objective.value())
    _move(objective, step * direction_P)
    slope = (objective.gradient() @ direction_P).item()
    assert slope == pytest.approx((after - before) / (2 * step), rel=1e-6)


def test_the_value_is_the_loss_of_the_evaluation() -> None:
    training = network()
    plain = score(training, training.on_device(training.splits.train)).data_loss
    data_loss, penalty = _objective(training).value()
    assert data_loss == pytest.approx(plain, abs=1e-6)
    assert penalty == 0


@pytest.mark.parametrize("weights", [None, "balanced"])
def test_chunks_of_any_size_give_the_same(weights: str | None) -> None:
    training = network(train=250, loss={"name": "cross_entropy", "class_weights": weights})
    whole = _objective(training, samples_per_chunk=250)
    parts = _objective(training, samples_per_chunk=36)
    direction_P = _direction(whole)
    assert sum(parts.value()) == pytest.approx(sum(whole.value()), rel=1e-6)
    for method in (Objective.gradient, lambda o: o.product(direction_P)):
        torch.testing.assert_close(method(parts), method(whole), rtol=1e-6, atol=1e-10)


def test_the_experiment_keeps_every_bit() -> None:
    training = experiment(architecture=vgg(batch_norm=True, dropout=0.5))
    before = {name: tensor.clone() for name, tensor in training.model.state_dict().items()}
    objective = _objective(training)
    objective.product(objective.gradient())
    after = training.model.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    buffers = objective.model.state_dict()
    assert all(torch.equal(t, buffers[n].to(t.dtype)) for n, t in before.items())


def test_frozen_weights_are_constants() -> None:
    training = experiment(
        architecture=vgg(batch_norm=False),
        fine_tuning={
            "head": {"hidden_units": [8]},
            "stages": [{"name": "a", "train": "head", "epochs": 1}],
        },
    )
    objective = _objective(training)
    of_head = sum(p.numel() for n, p in training.model.named_parameters() if n.startswith("head."))
    assert objective.size == of_head


def dense_hessian(objective: Objective) -> Tensor:
    """Return the Hessian by autograd over one function of all parameters, [P, P]."""
    names = [name for name, _ in objective.model.named_parameters()]
    sizes = [parameter.numel() for parameter in objective.parameters]
    inputs, labels = objective._split.batch(objective.samples_N)

    def value(flat_P: Tensor) -> Tensor:
        parts = zip(names, flat_P.split(sizes), objective.parameters, strict=True)
        weights = {name: part.view_as(parameter) for name, part, parameter in parts}
        outputs = functional_call(objective.model, weights, inputs.to(objective.dtype))
        return torch.nn.functional.cross_entropy(outputs, labels)

    flat_P = torch.cat([parameter.detach().flatten() for parameter in objective.parameters])
    hessian: Any = torch.autograd.functional.hessian(value, flat_P)
    return hessian
