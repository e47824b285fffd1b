"""`analysis`: the predicted memory against what an analysis allocates."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.worker.analyses.subjects import subject
from tests.worker.experiments import experiment, vgg
from tests.worker.sidecar.test_export import DIRECTORY, save
from worker.analyses.memory import predict_memory_mib
from worker.analyses.objective import Objective
from worker.registry import analyses, architectures
from worker.sidecar.operations import respond
from worker.training.experiment import Experiment
from worker.training.memory import LiveMemory
from worker.training.meta_model import build_on_meta

WIDE = vgg(widths=[64, 64], hidden_units=[512], dropout=0.0)


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a checkpoint's weights in the storage of a box."""
    monkeypatch.setenv("TRAINSHED_HOME", str(tmp_path))
    monkeypatch.setenv("TRAINSHED_STORAGE_URL", f"file://{tmp_path}")
    directory = tmp_path / DIRECTORY
    directory.mkdir(parents=True)
    return directory / "weights.safetensors"


def _ask(weights: Path, kind: str = "curvature", **parameters: Any) -> dict[str, Any]:
    filled = {**analyses.get(kind).defaults, **parameters}
    request = {"weights": f"{DIRECTORY}/{weights.name}", "kind": kind, "parameters": filled}
    return respond({"operation": "analysis", "is_on_gpu": False, **request})


def _allocated_mib(training: Experiment) -> float:
    """Return the largest memory of a gradient and a product with the Hessian."""
    objective = Objective(subject(training), torch.arange(32), dtype=torch.float32)
    live = LiveMemory(ignored=[*objective.model.parameters(), *objective.model.buffers()])
    with live:
        objective.product(objective.gradient())
    return live.peak / 2**20


def test_the_prediction_is_close_to_what_a_product_allocates(weights: Path) -> None:
    training = experiment(architecture=WIDE)
    save(training, weights)
    own = sum(p.numel() for p in training.model.parameters()) * 4 / 2**20
    predicted = _ask(weights, iterations=2, samples=32)["memory_mib"]
    allocated = own + _allocated_mib(training)
    assert allocated <= predicted <= 3 * allocated


def test_more_iterations_need_more_memory_until_the_basis_is_not_kept(weights: Path) -> None:
    save(experiment(architecture=WIDE), weights)
    few, many = (_ask(weights, iterations=n)["memory_mib"] for n in (10, 100))
    count = sum(p.numel() for p in experiment(architecture=WIDE).model.parameters())
    assert many - few == pytest.approx(90 * count * 4 / 2**20, rel=0.01)


def test_a_large_network_is_predicted_without_its_memory() -> None:
    model = build_on_meta("vgg16", architectures.get("vgg16").defaults, (3, 64, 64), 10)
    parameters = analyses.get("curvature").defaults
    assert predict_memory_mib("curvature", parameters, model, (3, 64, 64)) > 1500


def test_a_damaged_file_is_refused(weights: Path) -> None:
    weights.write_bytes(b"damaged")
    response = _ask(weights)
    assert not response["ok"]
    assert response["faults"][0]["pointer"] == "/checkpoint"
