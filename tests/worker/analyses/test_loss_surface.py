"""Loss surfaces with known answers."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from tests.worker.analyses.subjects import analyse, digits, network, subject, trained
from tests.worker.experiments import experiment, spec, vgg
from worker.analyses import loss_surface
from worker.analyses.landscape import Landscape, random_direction
from worker.build import build
from worker.training.evaluation import score

SMALL = {"directions": 2, "points": 5, "grid": 3, "samples": 64}


def _surface(training: Any, **parameters: Any) -> dict[str, Any]:
    return analyse("loss_surface", subject(training), **{**SMALL, **parameters}).result


def test_a_grid_of_one_point_is_no_surface() -> None:
    outcome = analyse("loss_surface", subject(network()), directions=1, points=3, grid=1)
    assert outcome.result["surface"] is None
    assert [picture.name for picture in outcome.pictures] == ["lines"]


@pytest.mark.parametrize("recompute", [True, False])
def test_the_center_is_the_loss_of_the_checkpoint(recompute: bool) -> None:
    training = trained()
    exact = score(training, training.on_device(training.splits.train), has_metrics=True)
    result = _surface(training, samples=256, recompute_batch_norm=recompute)
    assert result["center"]["loss"] == pytest.approx(exact.data_loss, abs=1e-6)
    assert result["center"]["accuracy"] == exact.metrics["accuracy"]
    assert result["surface"]["loss"][1][1] == result["center"]["loss"]
    assert [line[2] for line in result["lines"]["loss"]] == [result["center"]["loss"]] * 2


def test_scaling_a_relu_layer_up_and_the_next_down_changes_nothing() -> None:
    """The point of filter normalization; without it, the larger layer is flatter."""
    training = network(architecture={"name": "mlp", "hidden_units": [16]})
    before = {kind: _surface(training, normalization=kind) for kind in ("filter", "none")}
    first, last = (m for m in training.model.modules() if isinstance(m, nn.Linear))
    with torch.no_grad():
        first.weight.mul_(10)
        first.bias.mul_(10)
        last.weight.mul_(0.1)
    after = {kind: _surface(training, normalization=kind) for kind in ("filter", "none")}
    losses = {k: torch.tensor([r["lines"]["loss"] for r in (before[k], after[k])]) for k in before}
    torch.testing.assert_close(losses["filter"][0], losses["filter"][1], rtol=1e-4, atol=1e-5)
    assert (losses["none"][0] - losses["none"][1]).abs().max() > 0.1


def test_the_line_of_a_quadratic_loss_is_an_exact_parabola() -> None:
    data = digits()
    splits = data.splits
    numbers = type(splits)(
        *(
            type(part)(part.images, part.labels.float(), part.indices)
            for part in (splits.train, splits.validation, splits.test)
        )
    )
    training = build(
        spec(architecture="linear", loss="l2", checkpoints=[]), type(data)((), numbers)
    )
    result = _surface(training, points=9, span=2.0, normalization="none")
    assert result["center"]["accuracy"] is None
    for line in result["lines"]["loss"]:
        third = torch.tensor(line, dtype=torch.float64).diff(n=3)
        assert third.abs().max() < 1e-4 * max(line)
    assert result["rough_share"] == 0


def test_filters_of_a_direction_have_the_norms_of_the_network() -> None:
    model = experiment(architecture=vgg(batch_norm=True)).model
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    direction = random_direction(parameters, 0, 0, is_normalized=True)
    for name, parameter in parameters.items():
        if parameter.ndim < 2:
            assert not direction[name].any()
        else:
            own, drawn = (t.detach().flatten(1).norm(dim=1) for t in (parameter, direction[name]))
            torch.testing.assert_close(drawn, own, rtol=1e-5, atol=1e-8)


def test_batch_norm_is_computed_again_where_that_is_requested() -> None:
    training = experiment(architecture=vgg(batch_norm=True, dropout=0.0))
    kept, again = (_surface(training, recompute_batch_norm=choice) for choice in (False, True))
    assert (kept["recomputes_batch_norm"], again["recomputes_batch_norm"]) == (False, True)
    exact = score(training, training.on_device(training.splits.train)).data_loss
    assert kept["center"]["loss"] == pytest.approx(exact, abs=1e-5)
    assert again["center"]["loss"] != pytest.approx(exact, abs=1e-3)


def test_only_weights_that_the_stage_trains_are_moved() -> None:
    training = experiment(
        architecture=vgg(batch_norm=False),
        fine_tuning={
            "head": {"hidden_units": [8]},
            "stages": [{"name": "a", "train": "head", "epochs": 1}],
        },
    )
    landscape = Landscape(subject(training), training.splits.train, torch.arange(4))
    assert {name.partition(".")[0] for name in landscape.trained_weights()} == {"head"}


def test_the_network_keeps_every_bit() -> None:
    training = experiment(architecture=vgg(batch_norm=True))
    before = {name: tensor.clone() for name, tensor in training.model.state_dict().items()}
    _surface(training)
    after = training.model.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_a_loss_that_is_not_finite_stops_nothing() -> None:
    training = network(architecture={"name": "mlp", "hidden_units": [8], "activation": "relu"})
    with torch.no_grad():
        training.model.get_parameter("head.output.weight").mul_(1e30)
    outcome = analyse("loss_surface", subject(training), **SMALL, span=100.0)
    assert not math.isfinite(outcome.result["rise"]["highest"])
    assert {picture.name for picture in outcome.pictures} == {"lines", "surface"}
    _draw(outcome)


def test_picture_of_a_regression_without_a_finite_loss_has_that_of_the_checkpoint() -> None:
    shown = loss_surface._clipped([[math.inf, math.nan, math.inf]], math.inf, 2.0)
    assert shown.tolist() == [[2.0, 2.0, 2.0]]
    shown = loss_surface._clipped([[math.inf, 3.0, math.nan]], math.inf, 2.0)
    assert shown.tolist() == [[3.0, 3.0, 3.0]]


def test_pictures_are_drawn_and_the_surface_can_be_left_out() -> None:
    outcome = analyse("loss_surface", subject(trained()), **SMALL)
    assert outcome.arrays["surface_loss"].shape == (3, 3)
    _draw(outcome)
    lines_only = analyse("loss_surface", subject(trained()), **{**SMALL, "grid": 0})
    assert lines_only.result["surface"] is None
    assert [picture.name for picture in lines_only.pictures] == ["lines"]


def _draw(outcome: Any) -> None:
    """Draw every picture as the attempt does."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    for picture in outcome.pictures:
        drawing = Figure(layout="constrained")
        picture.draw(drawing)
        assert drawing.axes
