"""Predictions for a data set: the file, how it continues, and data sets that are gone."""

import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from shared import uploaded_datasets
from shared.settings import Settings
from shared.storage import sha256_of_file
from tests.worker.sidecar.test_predict import IMAGES, REGRESSION, as_png, home, train
from worker.data.uploaded import state_of, write_facts
from worker.data.uploads import check, open_upload
from worker.sidecar.operations import predict, predict_dataset, respond
from worker.training.evaluation import evaluate_classification, evaluate_regression
from worker.training.experiment import Experiment

__all__ = ["home"]
FILE = "job/results/predictions.csv"
Request = dict[str, Any]


@pytest.fixture(autouse=True)
def _nothing_open() -> Iterator[None]:
    predict_dataset._open.clear()
    yield
    predict_dataset._open.clear()


def trained(home: Path, spec: Request = IMAGES, **changes: Any) -> tuple[Experiment, Request]:
    """Train a job; return its experiment, and a request for its test split."""
    experiment, request = train(home, spec)
    own = {"file": FILE, "split": "test", "range": None, "seed": 0, "is_number": False}
    return experiment, {**request, **own, "operation": "predict_dataset", **changes}


def finish(request: Request) -> list[dict[str, str]]:
    """Send the request until the file is complete; return its rows."""
    while "sha256" not in (progress := respond(request)):
        assert progress["ok"], progress
    path = Settings().storage / FILE
    assert (progress["bytes"], progress["sha256"]) == (path.stat().st_size, sha256_of_file(path))
    assert progress["done"] == progress["samples"]
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def upload(home: Path) -> Request:
    """Upload 70 pictures with splits, one of which is damaged; return their data set."""
    path = uploaded_datasets.file(home, "flowers@1")
    path.parent.mkdir(parents=True)
    random = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(70):
            content = io.BytesIO()
            pixels = random.integers(0, 255, (16, 12 + number % 9, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(content, "PNG")
            split = "test" if number % 5 == 0 else "train"
            kind = ("花", "b,c")[number % 2]
            damaged = content.getvalue()[:50] if number == 12 else content.getvalue()
            archive.writestr(f"{split}/{kind}/{number:02}.png", damaged)
    opened = open_upload(path)
    report = check(opened, skip_bad=True, progress=lambda _: None)
    opened.close()
    facts = {**report.as_json(), "content_hash": "sha256:1"}
    write_facts(home, "flowers@1", facts, state_of(path))
    shape = {"image_size": 12, "channels": 3, "resize": "pad"}
    return {"name": "flowers@1", "content_hash": "sha256:1", **shape}


def test_rows_are_those_of_the_job_s_evaluation(home: Path) -> None:
    experiment, request = trained(home)
    test = experiment.splits.test
    evaluated = evaluate_classification(experiment, experiment.model, test, [1, 5]).predictions
    rows = finish(request)
    assert [int(row["sample"]) for row in rows] == evaluated.indices.tolist()
    assert [int(row["label"]) for row in rows] == evaluated.labels.tolist()
    assert [int(row["class_1"]) for row in rows] == evaluated.classes[:, 0].tolist()
    probabilities = [float(row["probability_5"]) for row in rows]
    assert probabilities == pytest.approx(evaluated.probabilities[:, 4].tolist(), abs=1e-5)


def test_table_s_targets_and_predictions(home: Path) -> None:
    experiment, request = trained(home, REGRESSION, is_number=True)
    test = experiment.splits.test
    evaluated = evaluate_regression(experiment, experiment.model, test)
    rows = finish(request)
    assert [float(row["target"]) for row in rows] == pytest.approx(evaluated.targets.tolist())
    predicted = [float(row["prediction"]) for row in rows]
    assert predicted == pytest.approx(evaluated.outputs.tolist(), abs=1e-5)


@pytest.mark.parametrize("first", [0, 13, 30])
def test_pictures_of_another_upload_have_their_names(home: Path, first: int) -> None:
    _, request = trained(home)
    rows = finish({**request, "dataset": upload(home), "range": [first, 69]})
    assert [int(row["sample"]) for row in rows] == list(range(first, 69))
    assert "train/花/12.png" not in {row["name"] for row in rows}
    with zipfile.ZipFile(uploaded_datasets.file(home, "flowers@1")) as archive:
        for row in rows[::9]:
            assert row["name"].split("/")[1] == row["label"]
            with Image.open(archive.open(row["name"])) as image:
                picture = as_png(torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy()))
            padded = {**request["dataset"], "resize": "pad"}
            single = {**request, "operation": "predict", "dataset": padded, "pictures": [picture]}
            [answer] = respond(single)["predictions"]
            assert row["class_1"] == answer["top_k"][0]["class"]
            assert float(row["probability_1"]) == pytest.approx(
                answer["top_k"][0]["probability"], abs=1e-5
            )


@pytest.mark.parametrize("forgotten", [False, True])
@pytest.mark.parametrize("is_upload", [False, True])
def test_file_made_in_slices_is_that_made_at_once(
    home: Path, monkeypatch: pytest.MonkeyPatch, is_upload: bool, forgotten: bool
) -> None:
    _, request = trained(home)
    if is_upload:
        request |= {"dataset": upload(home), "range": [5, 60]}
    at_once = finish(request)
    (Settings().storage / f"{FILE}.json").unlink()
    monkeypatch.setattr(predict_dataset, "SLICE_SECONDS", 0)
    part = Settings().storage / f"{FILE}.part"
    slices = 0
    while "sha256" not in respond(request):
        slices += 1
        if forgotten:  # the process has ended, in the middle of a row
            predict_dataset._open.clear()
            with part.open("a") as file:
                file.write('7,"cut')
    assert slices >= (1 if is_upload else 5)
    assert finish(request) == at_once


def test_complete_file_is_not_made_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, request = trained(home)
    finish(request)
    monkeypatch.setattr(predict_dataset, "open_samples", None)
    assert respond(request)["done"] > 0


@pytest.mark.parametrize("change", ["deleted", "replaced"])
def test_data_set_that_is_gone_is_named(home: Path, change: str) -> None:
    _, request = trained(home)
    request |= {"dataset": upload(home), "range": [0, 69]}
    path = uploaded_datasets.file(home, "flowers@1")
    path.unlink() if change == "deleted" else path.write_bytes(b"another file")
    [fault] = respond(request)["faults"]
    assert fault["pointer"] == "/dataset"
    assert {"deleted": "deleted", "replaced": "changed"}[change] in fault["detail"]


def test_damaged_checkpoint_and_deleted_job_are_refused(home: Path) -> None:
    _, request = trained(home)
    [fault] = respond({**request, "file": "gone/results/a.csv"})["faults"]
    assert fault["detail"] == predict_dataset.DELETED
    (Settings().storage / request["weights"]).write_bytes(b"damaged")
    predict.read_predictor.cache_clear()
    [fault] = respond(request)["faults"]
    assert fault["detail"] == predict.DAMAGED
