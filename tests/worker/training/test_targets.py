"""Regression with targets far from 0 and 1. Axes: N samples."""

import csv
import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from shared.storage import Storage
from tests.shared.rows import checkpoint_row
from tests.worker.experiments import spec
from worker.build import build
from worker.data.job_data import Data
from worker.runner.results.regression import regression_result
from worker.training.checkpoint import metadata
from worker.training.evaluation import evaluate_regression
from worker.training.experiment import Experiment, Split, Splits
from worker.training.fit import fit
from worker.training.reports import EpochEnded
from worker.training.targets import TargetScale, scale_of

#: Offset and factor of the target: a house price, a Unix time, a tiny and a large quantity.
UNITS = [(200_000, 30_000), (1.7e9, 10), (-3e-7, 1e-7), (0, 1e9)]


def _rows(count: int, seed: int, offset: float, factor: float) -> Split:
    """Return rows whose target is the sum of two columns, in some unit."""
    generator = torch.Generator().manual_seed(seed)
    columns_NF = torch.randn(count, 2, generator=generator)
    targets_N = columns_NF.double().sum(1) * factor + offset
    return Split(columns_NF[:, :, None, None], targets_N, torch.arange(count))


def _experiment(
    offset: float, factor: float, *, kind: str | None = "standardize", loss: str = "l2"
) -> Experiment:
    """Return an experiment with the default optimizer and network."""
    splits = Splits(*(_rows(size, size, offset, factor) for size in (210, 45, 44)))
    dataset = {"name": "table", "target_normalization": kind}
    training = {"epochs": 20, "batch_size": 32}
    return build(
        spec(dataset=dataset, loss=loss, checkpoints=[], training=training), Data((), splits)
    )


def _epochs(trained: Experiment) -> list[dict[str, float]]:
    return [dict(report.metrics) for report in fit(trained) if isinstance(report, EpochEnded)]


def _predictions(trained: Experiment, split: Split) -> Tensor:
    """Return predictions from the network's outputs and the checkpoint's metadata alone."""
    values = json.loads(metadata(trained)["target_normalization"])
    images_NCHW, _ = trained.on_device(split).batch(slice(None))
    with torch.no_grad():
        outputs_N = trained.model(images_NCHW).squeeze(1).double()
    return outputs_N * values["deviation"] + values["mean"]


@pytest.mark.parametrize(("offset", "factor"), UNITS)
@pytest.mark.parametrize("loss", ["l1", "l2", "epsilon_insensitive"])
def test_target_of_any_unit_is_learned_with_default_settings(
    offset: float, factor: float, loss: str
) -> None:
    trained = _experiment(offset, factor, loss=loss)
    epochs = _epochs(trained)
    result = evaluate_regression(trained, trained.model, trained.splits.test)
    r2 = result.metrics["r2"]
    assert r2 is not None
    assert r2 > 0.7
    assert epochs[-1]["val_root_mean_squared_error"] < 0.8 * factor


@pytest.mark.parametrize(("offset", "factor"), UNITS)
def test_errors_are_in_the_unit_of_the_target(offset: float, factor: float) -> None:
    trained = _experiment(offset, factor)
    last = _epochs(trained)[-1]
    validation = trained.splits.validation
    errors_N = _predictions(trained, validation) - validation.labels
    absolute, squared = errors_N.abs().mean().item(), errors_N.square().mean().item()
    assert last["val_mean_absolute_error"] == pytest.approx(absolute, rel=1e-3)
    assert last["val_root_mean_squared_error"] == pytest.approx(math.sqrt(squared), rel=1e-3)
    test = trained.splits.test
    result = evaluate_regression(trained, trained.model, test)
    errors_N = _predictions(trained, test) - test.labels
    assert torch.allclose(result.outputs, _predictions(trained, test), rtol=1e-9, atol=0)
    assert torch.equal(result.targets, test.labels)
    assert result.metrics["mean_absolute_error"] == pytest.approx(
        errors_N.abs().mean().item(), rel=1e-3
    )


@pytest.mark.parametrize(("offset", "factor"), UNITS)
def test_losses_are_in_deviations_of_the_training_targets(offset: float, factor: float) -> None:
    trained = _experiment(offset, factor)
    last = _epochs(trained)[-1]
    deviation = trained.splits.train.labels.std(correction=0).item()
    scaled = last["val_root_mean_squared_error"] / deviation
    assert last["val_data_loss"] == pytest.approx(scaled**2, rel=1e-5)
    test = evaluate_regression(trained, trained.model, trained.splits.test)
    error = test.metrics["root_mean_squared_error"]
    assert error is not None
    assert test.data_loss == pytest.approx((error / deviation) ** 2, rel=1e-3)


def test_predictions_file_has_the_unit_of_the_target(tmp_path: Path) -> None:
    trained = _experiment(1.7e9, 10)
    _epochs(trained)
    result = evaluate_regression(trained, trained.model, trained.splits.test)
    row = checkpoint_row("last", 1)
    artifact = regression_result(result, Storage(tmp_path), "job", row).artifacts[0]
    lines = list(csv.DictReader((tmp_path / artifact.path).read_text().splitlines()))
    targets = [float(line["target"]) for line in lines]
    assert targets == pytest.approx(trained.splits.test.labels.tolist(), abs=0.01)
    predictions = [float(line["prediction"]) for line in lines]
    assert predictions == pytest.approx(result.outputs.tolist(), abs=0.01)


def test_target_that_is_not_normalized_is_learned_as_it_is() -> None:
    trained = _experiment(3, 1, kind="none")
    assert trained.target_scale == TargetScale()
    last = _epochs(trained)[-1]
    error = last["val_root_mean_squared_error"]
    assert last["val_data_loss"] == pytest.approx(error**2, rel=1e-5)
    assert json.loads(metadata(trained)["target_normalization"]) == {"mean": 0, "deviation": 1}


@pytest.mark.parametrize("value", [0.0, 0.1, 1.7e9])
def test_constant_target_is_centred_only(value: float) -> None:
    scale = scale_of("standardize", torch.full((7,), value, dtype=torch.float64))
    assert scale.deviation == 1
    assert scale.mean == pytest.approx(value)


def test_scale_is_exact_where_float32_is_coarse() -> None:
    targets_N = torch.tensor([1.7e9, 1.7e9 + 1, 1.7e9 + 2], dtype=torch.float64)
    scale = scale_of("standardize", targets_N)
    assert scale.scaled(targets_N).tolist() == pytest.approx([-(1.5**0.5), 0, 1.5**0.5])
    assert scale.unscaled(scale.scaled(targets_N)).tolist() == pytest.approx(
        targets_N.tolist(), abs=1e-6
    )
