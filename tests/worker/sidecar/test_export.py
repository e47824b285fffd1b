"""`export`: an ONNX file that computes what the network computes, or a reason why there is none."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from shared.storage import sha256_of_file
from tests.worker.architectures.test_zoo import smallest
from tests.worker.experiments import data, experiment, vgg
from worker.data.job_data import Data
from worker.registry import architectures
from worker.sidecar import onnx_network
from worker.sidecar.operations import respond
from worker.sidecar.predictor import load_predictor
from worker.training import checkpoint
from worker.training.experiment import Experiment, Split, Splits
from worker.training.tensor_files import save_tensors

DIRECTORY = "job/1/step-1"


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a checkpoint's weights in the storage of a box."""
    monkeypatch.setenv("TRAINSHED_HOME", str(tmp_path))
    monkeypatch.setenv("TRAINSHED_STORAGE_URL", f"file://{tmp_path}")
    directory = tmp_path / DIRECTORY
    directory.mkdir(parents=True)
    return directory / "weights.safetensors"


def save(trained: Experiment, weights: Path) -> None:
    save_tensors(trained.model.state_dict(), weights, checkpoint.metadata(trained))


def export(weights: Path) -> dict[str, Any]:
    request = {"weights": f"{DIRECTORY}/{weights.name}", "sha256": sha256_of_file(weights)}
    return respond({"operation": "export", **request})


def refusal(weights: Path) -> str:
    response = export(weights)
    assert not response["ok"]
    assert [path.name for path in weights.parent.iterdir()] == [weights.name], "nothing is left"
    return response["faults"][0]["detail"]


def run(weights: Path, inputs: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(weights.with_name("network.onnx"))
    (outputs,) = session.run(None, {session.get_inputs()[0].name: inputs})
    assert isinstance(outputs, np.ndarray)
    return outputs


def table(*, classes: tuple[str, ...]) -> Data:
    """Return a table whose columns have very different ranges."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(30, 2, 1, 1, generator=generator, dtype=torch.float64)
    rows = rows * torch.tensor([1e-3, 5.0])[:, None, None] + torch.tensor([1.7e9, 0])[:, None, None]
    targets = torch.arange(30) % 2 if classes else 1000 * rows[:, 1, 0, 0].float()
    part = Split(rows, targets, torch.arange(30))
    return Data(classes, Splits(part, part, part), features=("time", "price"))


def test_file_gives_the_probabilities_of_the_network_for_pixels(weights: Path) -> None:
    save(experiment(architecture=vgg()), weights)
    response = export(weights)
    file = weights.with_name("network.onnx")
    assert response["file"] == f"{DIRECTORY}/network.onnx"
    assert response["sha256"] == sha256_of_file(file)
    assert response["bytes"] == file.stat().st_size
    assert response["largest_difference"] < 1e-5
    images = np.random.default_rng(1).integers(0, 256, (5, 3, 8, 8), dtype=np.uint8)
    original = load_predictor(weights).outputs(torch.from_numpy(images)).softmax(1)
    assert np.abs(run(weights, images) - original.numpy()).max() < 1e-6


def test_file_names_the_classes(weights: Path) -> None:
    save(experiment(architecture=vgg()), weights)
    export(weights)
    properties = onnx.load(weights.with_name("network.onnx")).metadata_props
    named = {each.key: json.loads(each.value) for each in properties}
    assert named["class_names"] == list("abcdef")


@pytest.mark.parametrize("classes", [(), ("no", "yes")])
def test_rows_of_a_table_are_normalized_in_the_file(weights: Path, classes: tuple[str]) -> None:
    bundle = table(classes=classes)
    spec: dict[str, Any] = {
        "dataset": {"name": "table", "file": "a.csv", "target": "y"},
        "loss": "cross_entropy" if classes else "l2",
        "checkpoints": [{"epoch": 0}],
    }
    save(experiment(bundle=bundle, **spec), weights)
    assert export(weights)["ok"]
    rows = bundle.splits.test.images
    assert isinstance(rows, torch.Tensor)
    outputs = load_predictor(weights).outputs(rows)
    expected = (outputs.softmax(1) if classes else outputs).numpy()
    np.testing.assert_allclose(run(weights, rows[:, :, 0, 0].numpy()), expected, rtol=1e-5)


def test_second_request_finds_the_file(weights: Path) -> None:
    save(experiment(), weights)
    first = export(weights)
    made_at = weights.with_name("network.onnx").stat().st_mtime_ns
    assert export(weights) == first
    assert weights.with_name("network.onnx").stat().st_mtime_ns == made_at


def test_damaged_file_is_made_again(weights: Path) -> None:
    save(experiment(), weights)
    first = export(weights)
    file = weights.with_name("network.onnx")
    whole = file.read_bytes()
    for damaged in (b"half", whole[:-1] + bytes([whole[-1] ^ 1])):
        file.write_bytes(damaged)
        assert export(weights)["sha256"] == first["sha256"] == sha256_of_file(file)


def test_file_with_other_outputs_is_refused(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damage(_: object, path: Path) -> None:
        network = onnx.load(path)
        tensor = network.graph.initializer[0]
        values = 2 * onnx.numpy_helper.to_array(tensor)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
        onnx.save(network, path)

    save(experiment(), weights)
    monkeypatch.setattr(onnx_network, "_describe", damage)
    assert "differ from the network's by up to" in refusal(weights)


def test_difference_may_be_as_large_as_rounding_errors(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_network, "TOLERANCE", 0.0)
    save(experiment(architecture=vgg()), weights)
    response = export(weights)
    assert response["ok"], response
    assert response["largest_difference"] > 0


def test_network_that_diverged_is_refused(weights: Path) -> None:
    trained = experiment()
    next(trained.model.parameters()).data.fill_(torch.nan)
    save(trained, weights)
    assert "not finite" in refusal(weights)


def test_damaged_weights_are_refused(weights: Path) -> None:
    save(experiment(), weights)
    request = {"weights": f"{DIRECTORY}/{weights.name}", "sha256": sha256_of_file(weights)}
    with weights.open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\1\2\3\4")
    response = respond({"operation": "export", **request})
    assert "damaged" in response["faults"][0]["detail"]


def test_path_that_leads_out_of_the_storage_is_refused(weights: Path) -> None:
    save(experiment(), weights)
    request = {"weights": f"../{weights.name}", "sha256": sha256_of_file(weights)}
    assert not respond({"operation": "export", **request})["ok"]


ARCHITECTURES = [
    pytest.param(name, marks=[pytest.mark.zoo] if entry.facts.get("heavy") else [])
    for name, entry in architectures.entries().items()
]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_can_be_exported(weights: Path, name: str) -> None:
    is_heavy = architectures.get(name).facts.get("heavy", False)
    size = smallest(name, 3)[1] if is_heavy else 8
    save(experiment(bundle=data(size=size), architecture=name), weights)
    response = export(weights)
    assert response["ok"], response
    # Without training, deep networks amplify the rounding of noise.
    assert is_heavy or response["largest_difference"] < 1e-5
