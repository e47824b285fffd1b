"""`tested_samples`: pictures of the samples that a job was tested on."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from shared.settings import Settings
from worker import data as datasets
from worker.data.dataset import Dataset
from worker.data.errors import DatasetMissing
from worker.sidecar.captioned_sheet import picture_of, sheet_of, shown_name
from worker.sidecar.request import Operation, RequestRefused, Subject, fault

CHANGED = "has changed since the job was trained on it"
#: Of the captions, for the title.
LINES = "number and probability, label, prediction"


def tested_samples(request: dict[str, Any]) -> dict[str, Any]:
    """Return a PNG in base64: of a single sample, or a sheet of samples with captions.

    Args:
        request: dataset (that part of a filled specification), content_hash (that the data set must
            have, or null), samples ([{sample, label, predicted, probability}]), classes (their
            names by label), and title (of a sheet, or null for the picture of a single sample).

    Raises:
        RequestRefused: the data set is missing or has changed.
    """
    dataset = _open(request["dataset"], request["content_hash"])
    chosen = request["samples"]
    if any(entry["sample"] >= len(dataset) for entry in chosen):
        raise RequestRefused(fault("/dataset/name", f"{dataset.name} {CHANGED}."))
    images = [np.asarray(dataset.images[entry["sample"]], np.uint8) for entry in chosen]
    if request["title"] is None:
        png = picture_of(images[0])
    else:
        captions = [_caption(entry, request["classes"]) for entry in chosen]
        png = sheet_of(images, captions, f"{request['title']}: {LINES}")
    return {"png": base64.b64encode(png).decode()}


def _open(spec: Mapping[str, Any], content_hash: str | None) -> Dataset:
    home = Settings().home
    try:
        dataset = datasets.open_dataset(spec, data_dir=home / "data", cache_dir=home / "cache")
    except DatasetMissing as error:
        raise RequestRefused(fault("/dataset/name", f"{error}. {error.hint}")) from error
    if content_hash not in {None, dataset.content_hash}:
        raise RequestRefused(fault("/dataset/name", f"{dataset.name} {CHANGED}."))
    return dataset


def _caption(entry: Mapping[str, Any], classes: list[str]) -> list[str]:
    probability, predicted = entry["probability"], entry["predicted"]
    return [
        f"#{entry['sample']}" + ("" if probability is None else f": {probability:.1%}"),
        shown_name(classes[entry["label"]], entry["label"]),
        "none" if predicted is None else shown_name(classes[predicted], predicted),
    ]


TESTED_SAMPLES = Operation(
    tested_samples,
    processes=1,
    memory_mib=2048,
    is_kept=True,
    subject=Subject("", "draw the pictures", "Train a job on the data set, which decodes it."),
)
