"""Paths between checkpoints with known answers."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.worker.analyses.subjects import analyse, network, subject, trained
from tests.worker.experiments import experiment, vgg
from worker.analyses.subject import AnalysisRefused
from worker.training.evaluation import score
from worker.training.experiment import Experiment
from worker.training.fit import fit


def _state(training: Experiment) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in training.model.state_dict().items()}


def _path(training: Experiment, before: dict[str, Tensor], **parameters: Any) -> Any:
    analysed = subject(training, load_weights=lambda _: before)
    return analyse("loss_path", analysed, **{"points": 9, **parameters})


def test_the_ends_are_the_losses_of_the_two_checkpoints() -> None:
    """With batch norm: its running statistics move with the weights."""
    training = experiment(architecture=vgg(batch_norm=True, dropout=0.0))
    before, losses = _state(training), list[float]()
    losses.append(score(training, training.on_device(training.splits.train)).data_loss)
    for _ in fit(training):
        pass
    losses.append(score(training, training.on_device(training.splits.train)).data_loss)
    result = _path(training, before).result
    ends = [result["train"]["loss"][result["alpha"].index(alpha)] for alpha in (0.0, 1.0)]
    assert ends == pytest.approx(losses, abs=1e-6)


def test_the_middle_is_the_loss_of_the_average_of_all_tensors() -> None:
    training = experiment(architecture=vgg(batch_norm=True, dropout=0.0))
    before = _state(training)
    for _ in fit(training):
        pass
    after = _state(training)
    result = _path(training, before).result
    middle = {n: (t + after[n]) / 2 if t.is_floating_point() else t for n, t in before.items()}
    training.model.load_state_dict(middle)
    exact = score(training, training.on_device(training.splits.train)).data_loss
    assert result["train"]["loss"][result["alpha"].index(0.5)] == pytest.approx(exact, abs=1e-5)


def test_a_path_to_the_same_weights_is_flat() -> None:
    training = trained()
    result = _path(training, _state(training)).result
    assert result["train"]["loss"] == pytest.approx([result["train"]["loss"][0]] * 9, rel=1e-5)
    assert result["distance"] == 0
    assert result["train"]["barrier"] == pytest.approx(0, abs=1e-6)


def test_the_loss_of_a_linear_network_has_no_barrier() -> None:
    """Softmax regression is convex, so the loss is never above the line between its ends."""
    training = network(architecture="linear")
    before = _state(training)
    for _ in fit(training):
        pass
    result = _path(training, before, points=21).result
    assert result["train"]["barrier"] == pytest.approx(0, abs=1e-6)


def test_permuted_units_are_the_same_function_and_have_a_barrier_between_them() -> None:
    training = trained()
    names = [name for name, _ in training.model.named_parameters()]
    order = torch.randperm(8)
    permuted = _state(training)
    first, bias, second = (permuted[name] for name in names[:3])
    permuted[names[0]], permuted[names[1]] = first[order], bias[order]
    permuted[names[2]] = second[:, order]
    result = _path(training, permuted, points=21).result
    losses, alphas = result["train"]["loss"], result["alpha"]
    assert losses[alphas.index(0.0)] == pytest.approx(losses[alphas.index(1.0)], rel=1e-5)
    assert result["train"]["barrier"] > 0.1
    assert not result["is_monotone"]


def test_both_ends_are_among_any_points() -> None:
    result = _path(trained(), _state(network()), points=4, first=-0.3, last=1.1).result
    assert {0.0, 1.0} < set(result["alpha"])
    assert result["alpha"] == sorted(result["alpha"])
    assert len(result["validation"]["loss"]) == len(result["alpha"]) == 6


def test_initial_weights_are_requested_without_an_id() -> None:
    requested: list[str | None] = []

    def load(checkpoint_id: str | None) -> dict[str, Tensor]:
        requested.append(checkpoint_id)
        return _state(network())

    analysed = subject(trained(), load_weights=load)
    analyse("loss_path", analysed, points=2)
    analyse("loss_path", analysed, points=2, start="ckpt_1")
    analyse("loss_path", analysed, points=2, start="initial", start_job="job_1")
    assert requested == [None, "ckpt_1", "initial"]


def test_another_network_is_refused() -> None:
    other = _state(network(architecture={"name": "mlp", "hidden_units": [9]}))
    with pytest.raises(AnalysisRefused, match="of different networks"):
        _path(trained(), other)


def test_the_picture_is_drawn() -> None:
    from matplotlib.figure import Figure  # noqa: PLC0415

    (picture,) = _path(trained(), _state(network())).pictures
    drawing = Figure(layout="constrained")
    picture.draw(drawing)
    assert len(drawing.axes) == 1
