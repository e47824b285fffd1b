"""A trained network outside of the service: the code of docs/using-a-model.md runs as it stands."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.e2e.conftest import ROOT, EmbeddedBox
from tests.worker.experiments import data, experiment
from trainshed.cli import main
from worker.data.loading import load
from worker.training import checkpoint
from worker.training.tensor_files import save_tensors

TEXT = (ROOT / "docs" / "using-a-model.md").read_text()
WITH_ONNX, WITH_TORCH, WITH_TIMM = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
SPEC = {
    "dataset": {"name": "digits", "train": 512, "validation": 64, "test": 64},
    "architecture": "mlp",
    "training": {"epochs": 2},
}


def run(code: str, **variables: Any) -> dict[str, Any]:
    """Run code of the page and return its variables."""
    exec(code, variables)  # noqa: S102
    return variables


@pytest.mark.e2e
def test_exported_file_and_weights_give_the_recorded_predictions(
    box: EmbeddedBox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", (box.home / "key").read_text().strip())
    with box.client() as client:
        job = client.wait(client.submit(SPEC)["id"])
        assert job["state"] == "succeeded", job["failure"]
        samples = client.top_k(job["id"], checkpoint="last", limit=64)["samples"]["data"]
        service = ["--url", client.url]
        client.download(job["id"], "last", "weights.safetensors")
    assert main([*service, "export", job["id"], "--output", "model.onnx"]) == 0

    images = pictures(box.home, [sample["sample"] for sample in samples])
    variables = run(WITH_ONNX, images=images)
    recorded = [[each["probability"] for each in sample["classes"]] for sample in samples]
    assert variables["best"] == [sample["classes"][0]["name"] for sample in samples]
    count = len(recorded[0])
    exported = -np.sort(-variables["probabilities"])[:, :count]
    np.testing.assert_allclose(exported, recorded, atol=1e-6)

    logits = run(WITH_TORCH, images=images)["logits"]
    np.testing.assert_allclose(logits.softmax(1), variables["probabilities"], atol=1e-6)


def pictures(home: Path, indices: list[int]) -> np.ndarray:
    """Return images of the data set, uint8 [N, C, H, W], as the box has them in its cache."""
    return load("digits", data_dir=home / "data", cache_dir=home / "cache").images[indices]


def test_timm_reads_the_body_of_its_networks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trained = experiment(bundle=data(size=32), architecture="efficientnet_lite0")
    metadata = checkpoint.metadata(trained)
    save_tensors(trained.model.state_dict(), Path("weights.safetensors"), metadata)
    images = torch.rand(2, 3, 32, 32)
    features = run(WITH_TIMM)["body"](images)
    trained.model.eval()
    torch.testing.assert_close(features, trained.model.get_submodule("body")(images))
