"""`analysis`: the predicted memory against what an analysis allocates."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.worker.analyses.subjects import SGD as MOMENTUM
from tests.worker.analyses.subjects import network, subject
from tests.worker.experiments import experiment, vgg
from tests.worker.sidecar.test_export import DIRECTORY, save
from worker.analyses.memory import predict_memory_mib
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
    of_job = {"first": None, "train_samples": 60_000, "batch_size": 8, "is_on_gpu": False}
    return respond({"operation": "analysis", **request, **of_job})


#: Small numbers of what takes time and no memory.
SHORT = {
    "curvature": {"iterations": 2, "probes": 0},
    "loss_surface": {"points": 3, "grid": 0},
    "loss_path": {"points": 3},
    "label_errors": {"split": "train"},
}


@pytest.mark.parametrize(
    ("kind", "train"), [*((kind, "all") for kind in SHORT), ("curvature", "head")]
)
def test_the_prediction_is_close_to_what_the_analysis_allocates(kind: str, train: str) -> None:
    training = _network(train)
    model, entry = training.model, analyses.get(kind)
    parameters = {**entry.defaults, **SHORT[kind]}
    initial = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    held = [*model.parameters(), *model.buffers(), *initial.values()]
    analysed = subject(training, load_weights=lambda _: initial)
    with LiveMemory(ignored=held) as live:
        entry.function(analysed, **parameters)
    allocated = (live.peak + sum(tensor.nbytes for tensor in held)) / 2**20
    predicted = predict_memory_mib(
        kind,
        parameters,
        deepcopy(model).to("meta"),
        (1, 8, 8),
        first=training.stages[0].first,
        train_samples=len(training.splits.train.labels),
        batch_size=training.stages[0].batch_size,
    )
    assert 0.97 * allocated <= predicted <= 1.5 * allocated


def _network(train: str) -> Experiment:
    """Return a network with a large body, of which a stage trains all or only the head."""
    wide = vgg(widths=[32, 32], hidden_units=[256], dropout=0.0)
    stage = {
        "name": "s",
        "train": train,
        "epochs": 1,
        "optimizer": {**MOMENTUM, "learning_rate": 0.01},
    }
    head = {"hidden_units": [], "dropout": 0.0}
    return network(architecture=wide, fine_tuning={"head": head, "stages": [stage]})


def test_more_iterations_need_more_memory_until_the_basis_is_not_kept(weights: Path) -> None:
    save(experiment(architecture=WIDE), weights)
    few, many = (_ask(weights, iterations=n)["memory_mib"] for n in (10, 100))
    count = sum(p.numel() for p in experiment(architecture=WIDE).model.parameters())
    assert many - few == pytest.approx(90 * count * 4 / 2**20, rel=0.01)


def test_a_large_network_is_predicted_without_its_memory() -> None:
    model = build_on_meta("vgg16", architectures.get("vgg16").defaults, (3, 64, 64), 10)
    of_job = {"first": None, "train_samples": 60_000, "batch_size": 32}
    parameters = analyses.get("curvature").defaults
    assert predict_memory_mib("curvature", parameters, model, (3, 64, 64), **of_job) > 1500


def test_a_damaged_file_is_refused(weights: Path) -> None:
    weights.write_bytes(b"damaged")
    response = _ask(weights)
    assert not response["ok"]
    assert response["faults"][0]["pointer"] == "/checkpoint"
