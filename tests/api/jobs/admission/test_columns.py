"""Fine-tuning on a table: columns are matched by name with the columns of the weights."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from shared.errors import InvalidSpec
from shared.ids import new_id
from shared.storage import Storage
from tests.api.jobs.admission.acceptance import build_experiment, check, train
from tests.api.jobs.admission.test_weights import job_with_checkpoint
from tests.api.service import Service
from tests.fakes.sidecar import accept_everything
from worker.runner.weights import load_file
from worker.training.checkpoint import metadata
from worker.training.evaluation import evaluate_classification
from worker.training.experiment import Experiment

ROWS = 60
STAGES = [{"name": "head", "train": "head", "epochs": 5}]
SPEC: dict[str, Any] = {
    "dataset": {"name": "table", "file": "plain.csv", "target": "label"},
    "architecture": {"name": "mlp", "hidden_units": [8]},
    "optimizer": {"name": "adam", "learning_rate": 0.05},
    "training": {"epochs": 20, "batch_size": 8},
}


class Box:
    """Tables and uploads of a box."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.tables = home / "data" / "table"
        self.tables.mkdir(parents=True)
        self.storage = Storage(home / "storage")
        generator = np.random.default_rng(0)
        labels = np.arange(ROWS) % 3
        self.columns = {
            "a": labels + generator.uniform(0, 0.9, ROWS),
            "b": 1000 * generator.uniform(0, 1, ROWS),
            "label": np.array(["cat", "dog", "owl"])[labels],
        }

    def write(self, file: str, *names: str) -> None:
        """Write a table with these columns; an unknown name is a column of zeros."""
        columns = [self.columns.get(name, np.zeros(ROWS)) for name in names]
        lines = [",".join(map(str, row)) for row in zip(*columns, strict=True)]
        (self.tables / file).write_text("\n".join([",".join(names), *lines]))

    def trained(self, **changes: Any) -> Experiment:
        filled = check({**SPEC, **changes}).filled
        experiment = build_experiment(filled, self.home)
        train(experiment)
        return experiment

    def upload(self, experiment: Experiment, **metadata_changes: str | None) -> str:
        """Store the weights of an experiment as an upload; None leaves metadata out."""
        values = {**metadata(experiment), **metadata_changes}
        weights_id = new_id("weights")
        path = self.storage.weights(weights_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {name: t.contiguous() for name, t in experiment.model.state_dict().items()}
        save_file(tensors, path, {name: text for name, text in values.items() if text is not None})
        return weights_id

    def tuning(self, weights_id: str, file: str, **dataset: Any) -> dict[str, Any]:
        """Return a specification that fine-tunes the weights on a table."""
        spec = {**SPEC, "dataset": {**SPEC["dataset"], "file": file, **dataset}}
        spec["training"] = {"batch_size": 8}
        return {**spec, "fine_tuning": {"weights": {"upload": weights_id}, "stages": STAGES}}

    def faults(self, spec: dict[str, Any]) -> dict[str, str]:
        with pytest.raises(InvalidSpec) as refused:
            check(spec, self.storage)
        return {fault.pointer: fault.detail for fault in refused.value.faults}


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Box:
    box = Box(tmp_path_factory.mktemp("box"))
    box.write("plain.csv", "a", "b", "label")
    box.write("swapped.csv", "b", "label", "a")
    box.write("extra.csv", "a", "c", "b", "label")
    box.write("missing.csv", "a", "label")
    box.write("renamed.csv", "A", "b", "label")
    return box


@pytest.fixture(autouse=True)
def _home(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINSHED_HOME", str(box.home))


@pytest.fixture(scope="module")
def trained(box: Box) -> Experiment:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRAINSHED_HOME", str(box.home))
        return box.trained()


def test_checkpoint_names_its_columns(box: Box, trained: Experiment) -> None:
    assert json.loads(metadata(trained)["features"]) == ["a", "b"]
    numbers = box.trained(
        dataset={**SPEC["dataset"], "target": "a", "features": ["b"]}, loss="l2", architecture="mlp"
    )
    assert json.loads(metadata(numbers)["features"]) == ["b"]


@pytest.mark.parametrize("features", [None, ["b", "a"], ["a", "b"]])
@pytest.mark.parametrize("file", ["swapped.csv", "plain.csv"])
def test_columns_in_another_order_are_the_same_inputs(
    box: Box, trained: Experiment, file: str, features: list[str] | None
) -> None:
    weights_id = box.upload(trained)
    draft = check(box.tuning(weights_id, file, features=features), box.storage)
    assert draft.filled["dataset"]["features"] == ["a", "b"]
    assert draft.warnings == []
    assert check(draft.filled, box.storage).filled == draft.filled
    tuned = build_experiment(draft.filled, box.home, load_file(box.storage.weights(weights_id)))
    assert torch.equal(trained.splits.train.images, tuned.splits.train.images)
    train(tuned)
    result = evaluate_classification(tuned, tuned.model, tuned.splits.test, tuned.ks)
    assert result.accuracy == 1


LACKS = "lacks the column `{}`, with which the weights were trained"
HAS = "has the column `{}`, without which the weights were trained"
NAME = "name exactly the columns of the weights in `features`"
ADD = "add what is missing to the table"


@pytest.mark.parametrize(
    ("file", "detail"),
    [
        ("extra.csv", f"{HAS.format('c')}; {NAME}"),
        ("missing.csv", f"{LACKS.format('b')}; {ADD}"),
        ("renamed.csv", f"{LACKS.format('a')} and {HAS.format('A')}; {ADD}, and {NAME}"),
    ],
)
@pytest.mark.parametrize("normalization", [None, "standardize"])
def test_other_columns_are_refused_by_name(
    box: Box, trained: Experiment, file: str, detail: str, normalization: str | None
) -> None:
    spec = box.tuning(box.upload(trained), file, normalization=normalization)
    assert box.faults(spec) == {"/dataset/features": detail}


def test_columns_of_a_job_s_checkpoint_are_matched(service: Service) -> None:
    table = {"rows": 100, "features": ["b", "a"], "classes": ["no", "yes"]}
    service.sidecar.respond = lambda request: (
        {"ok": True, **table, "content_hash": "sha256:" + "a" * 64, "warnings": []}
        if request["operation"] == "table"
        else accept_everything(request)
    )
    tensors = {"body.hidden1.weight": torch.zeros(4, 2), "body.hidden1.bias": torch.zeros(4)}
    normalization = '{"mean": [0, 1], "deviation": [1, 1], "largest": 1}'
    metadata = {"normalization": normalization, "features": '["a", "b"]'}
    weights = {"job": job_with_checkpoint(service, tensors, metadata)}
    spec = {**SPEC, "fine_tuning": {"weights": weights, "stages": STAGES}}
    spec["training"] = {}
    job = service.job(service.submit(**spec))
    assert job["spec"]["dataset"]["features"] == ["a", "b"]
    table["features"] = ["a", "c"]
    assert list(service.faults(spec)) == ["/dataset/features"]


def test_extra_column_can_be_left_out(box: Box, trained: Experiment) -> None:
    spec = box.tuning(box.upload(trained), "extra.csv", features=["b", "a"])
    assert check(spec, box.storage).filled["dataset"]["features"] == ["a", "b"]


@pytest.mark.parametrize("text", [None, "nonsense", "[]", '["a", "a"]', '{"a": 1}', "[1, 2]"])
def test_weights_without_names_are_matched_by_position_with_a_warning(
    box: Box, trained: Experiment, text: str | None
) -> None:
    draft = check(box.tuning(box.upload(trained, features=text), "swapped.csv"), box.storage)
    assert draft.filled["dataset"]["features"] == ["b", "a"]
    (warning,) = draft.warnings
    assert warning.pointer == "/dataset/features"
    assert "columns are matched by position" in warning.detail


def test_images_have_no_columns() -> None:
    draft = check({"dataset": "digits", "architecture": "mlp"})
    assert "features" not in draft.filled["dataset"]
