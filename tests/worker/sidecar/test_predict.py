"""Predictions of a checkpoint: as the job's own evaluation, and clear refusals."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from shared import storage
from shared.settings import Settings
from shared.storage import WEIGHTS, sha256_of_file
from tests.api.jobs.admission.acceptance import build_experiment, checked
from worker.sidecar.operations import predict, respond
from worker.training import checkpoint
from worker.training.evaluation import evaluate_classification, evaluate_regression
from worker.training.experiment import Experiment
from worker.training.fit import fit
from worker.training.reports import Fitted

Request = dict[str, Any]
IMAGES: Request = {
    "dataset": {"name": "digits", "image_size": 12, "channels": 3, "train": 200},
    "architecture": {"name": "vgg_small", "widths": [4], "hidden_units": [8]},
    "training": {"epochs": 1},
}
ROWS: Request = {
    "dataset": {"name": "table", "file": "flowers.csv", "target": "kind"},
    "architecture": {"name": "mlp", "hidden_units": [4]},
    "training": {"epochs": 1},
}
REGRESSION: Request = {
    **ROWS,
    "dataset": {**ROWS["dataset"], "target": "size", "features": ["length", "width"]},
    "loss": "l2",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRAINSHED_HOME", str(tmp_path))
    generator = np.random.default_rng(0)
    lines = ["length,width,size,kind"]
    for length, width in generator.uniform(1, 9, (60, 2)):
        lines.append(f"{length},{width},{3 * length},{'long' if length > width else 'wide'}")
    table = tmp_path / "data" / "table" / "flowers.csv"
    table.parent.mkdir(parents=True)
    table.write_text("\n".join(lines))
    predict.read_predictor.cache_clear()
    return tmp_path


def train(home: Path, spec: Request) -> tuple[Experiment, Request]:
    """Train a job in this process; return its experiment, and a request without samples."""
    filled, faults = checked(spec)
    assert not faults
    experiment = build_experiment(filled, home)
    [*_, state] = [report.snapshot() for report in fit(experiment) if isinstance(report, Fitted)]
    directory = Settings().storage / "job" / "step-1"
    checkpoint.save(state, directory, metadata=checkpoint.metadata(experiment))
    experiment.model.load_state_dict(checkpoint.load_weights(directory))
    return experiment, {
        "operation": "predict",
        "weights": f"job/step-1/{WEIGHTS}",
        "sha256": sha256_of_file(directory / WEIGHTS),
        "dataset": filled["dataset"],
        "top_k": 5,
    }


def as_png(image_CHW: torch.Tensor) -> dict[str, str]:
    """Return a picture as the API sends it."""
    content = io.BytesIO()
    Image.fromarray(image_CHW.permute(1, 2, 0).numpy()).save(content, "PNG")
    return {"name": "a.png", "content": base64.b64encode(content.getvalue()).decode()}


def test_pictures_get_the_classes_and_probabilities_of_the_job_s_test(home: Path) -> None:
    experiment, request = train(home, IMAGES)
    test = experiment.splits.test
    evaluated = evaluate_classification(experiment, experiment.model, test, [1, 5]).predictions
    images_NCHW = torch.as_tensor(test.images)[:40]
    response = respond({**request, "pictures": [as_png(image) for image in images_NCHW]})
    for row, classes_K, probabilities_K in zip(
        response["predictions"], evaluated.classes, evaluated.probabilities, strict=False
    ):
        names = [experiment.class_names[index] for index in classes_K.tolist()]
        assert [entry["class"] for entry in row["top_k"]] == names
        predicted = [entry["probability"] for entry in row["top_k"]]
        assert predicted == pytest.approx(probabilities_K.tolist(), abs=1e-6)


def test_rows_get_the_classes_of_the_job_s_test(home: Path) -> None:
    experiment, request = train(home, ROWS)
    test = experiment.splits.test
    evaluated = evaluate_classification(experiment, experiment.model, test, [1]).predictions
    values_NF = torch.as_tensor(test.images)[:, :, 0, 0].tolist()
    rows = [dict(zip(experiment.features, values, strict=True)) for values in values_NF]
    predictions = respond({**request, "rows": rows})["predictions"]
    first = [experiment.class_names[index] for index in evaluated.classes[:, 0].tolist()]
    assert [row["top_k"][0]["class"] for row in predictions] == first
    assert [row["name"] for row in predictions][:2] == ["row 1", "row 2"]
    assert all(len(row["top_k"]) == 2 for row in predictions), "there are two classes"


def test_regression_predicts_in_the_unit_of_the_target(home: Path) -> None:
    experiment, request = train(home, REGRESSION)
    test = experiment.splits.test
    evaluated = evaluate_regression(experiment, experiment.model, test)
    values_NF = torch.as_tensor(test.images)[:, :, 0, 0].tolist()
    rows = [dict(zip(experiment.features, values, strict=True)) for values in values_NF]
    predicted = [row["value"] for row in respond({**request, "rows": rows})["predictions"]]
    assert predicted == pytest.approx(evaluated.outputs.tolist(), abs=1e-5)


def test_columns_that_a_row_lacks_are_named(home: Path) -> None:
    _, request = train(home, REGRESSION)
    rows = [{"length": 1, "width": 2, "further": 3}, {"length": 1}]
    [fault] = respond({**request, "rows": rows})["faults"]
    assert fault["pointer"] == "/rows/1"
    expected = "has no value for the column `width`. The columns are `length`, `width`"
    assert fault["detail"] == expected


def test_a_value_that_is_infinite_for_the_network_is_named(home: Path) -> None:
    _, request = train(home, ROWS)
    rows = [{"length": 1.0, "width": 2.0, "size": 3.0}, {"length": 1e300, "width": 2, "size": 3}]
    [fault] = respond({**request, "rows": rows})["faults"]
    assert fault["pointer"] == "/rows/1/length"
    assert "is 1e+300, which is too large" in fault["detail"]


def test_pictures_that_cannot_be_read_are_all_named(home: Path) -> None:
    experiment, request = train(home, IMAGES)
    good = as_png(torch.as_tensor(experiment.splits.test.images)[0])
    cut = base64.b64encode(base64.b64decode(good["content"])[:60]).decode()
    svg = base64.b64encode(b"<svg xmlns='http://www.w3.org/2000/svg'/>").decode()
    pictures = [
        good,
        {"name": "cut.png", "content": cut},
        {"name": "drawing.jpg", "content": svg},
        {"name": "empty.png", "content": ""},
    ]
    faults = respond({**request, "pictures": pictures})["faults"]
    assert [fault["pointer"] for fault in faults] == ["/files/1", "/files/2", "/files/3"]
    assert [fault["detail"].split()[0] for fault in faults] == [
        "cut.png",
        "drawing.jpg",
        "empty.png",
    ]


@pytest.mark.parametrize("damage", ["changed", "cut", "missing"])
def test_damaged_checkpoint_is_refused(home: Path, damage: str) -> None:
    _, request = train(home, IMAGES)
    path = Settings().storage / request["weights"]
    if damage == "changed":
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:100])
        request["sha256"] = sha256_of_file(path)
    else:
        path.unlink()
    [fault] = respond({**request, "pictures": []})["faults"]
    assert fault["detail"] == predict.DAMAGED


def test_digest_of_a_file_is_computed_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment, request = train(home, IMAGES)
    request["pictures"] = [as_png(torch.as_tensor(experiment.splits.test.images)[0])]
    hashed: list[Path] = []

    def count(path: Path) -> str:
        hashed.append(path)
        return request["sha256"]

    monkeypatch.setattr(storage, "sha256_of_file", count)
    path = Settings().storage / request["weights"]

    def predict_again() -> None:
        predict.read_predictor.cache_clear()  # as when another network was loaded
        assert respond(request)["ok"]

    predict_again()
    predict_again()
    assert hashed == [path]
    path.touch()
    predict_again()
    assert hashed == [path, path]


def test_output_that_is_not_finite_has_no_probability(home: Path) -> None:
    experiment, request = train(home, IMAGES)
    path = Settings().storage / request["weights"]
    picture = as_png(torch.as_tensor(experiment.splits.test.images)[0])
    predictor = predict.read_predictor(request["weights"], request["sha256"])
    with torch.no_grad():
        for parameter in predictor.model.parameters():
            parameter.fill_(torch.nan)
    [row] = respond({**request, "pictures": [picture]})["predictions"]
    assert {entry["probability"] for entry in row["top_k"]} == {None}
    assert json.dumps(row, allow_nan=False)
    assert path.exists()
