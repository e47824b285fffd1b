"""The preset `transfer-learning` on an upload with the same photographs as the built-in set."""

import io
import json
from typing import Any

import numpy as np

from benchmarks.boxes import ROOT, Box
from benchmarks.experiments.plan import Column, Plan, on_test
from shared.datasets import FASHION_MNIST
from worker.data import load

PRESET = ROOT / "api" / "presets" / "lessons" / "10-transfer-learning.json"
UPLOADED = "clothes"
#: Smaller than the preset: what is compared are the two ways of the images, not the accuracy itself.
TRAIN, VALIDATION, TEST, SIZE = 500, 100, 1000, 64


def _spec(name: str) -> dict[str, Any]:
    spec = json.loads(PRESET.read_text())["spec"]
    counts = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
    spec["dataset"] |= {"name": name, "image_size": SIZE, **counts}
    return spec


def upload(box: Box) -> None:
    """Upload the photographs in the layout of Keras, unless this box has them already."""
    if box.http.get(f"/v1/datasets/{UPLOADED}").status_code == 200:
        return
    loaded = load(FASHION_MNIST.name, data_dir=box.home / "data", cache_dir=box.home / "cache")
    assert loaded.first_test is not None
    images, first = np.asarray(loaded.images)[:, 0], loaded.first_test
    file = io.BytesIO()
    np.savez(
        file,
        x_train=images[:first],
        y_train=loaded.labels[:first].astype(np.uint8),
        x_test=images[first:],
        y_test=loaded.labels[first:].astype(np.uint8),
    )
    headers = {"Content-Type": "application/octet-stream"}
    address, query = "/v1/datasets", {"name": UPLOADED}
    response = box.http.post(address, params=query, content=file.getvalue(), headers=headers)
    response.raise_for_status()
    box.wait_for_dataset(response.headers["location"])


PLAN = Plan(
    name="uploaded_transfer",
    title=f"The preset transfer-learning on an upload and on the built-in set, {SIZE} px, {TRAIN} images",
    question=f"Test accuracy on {TEST:,} images after both stages. The upload has the same 70,000 "
    "photographs as an .npz file, so that each seed draws the same splits of both.",
    rows={"built-in": _spec(FASHION_MNIST.name), "uploaded": _spec(UPLOADED)},
    seeds=(0, 1, 2),
    columns=(
        Column("test accuracy", on_test("accuracy")),
        Column("test loss", on_test("loss")),
    ),
    prepare=upload,
)
