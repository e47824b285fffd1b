"""Admission with the functions of the real sidecar, and training of what it accepts."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from api.catalog.methods import Methods
from api.http.strict_json import parse
from api.jobs import service
from api.jobs.admission.draft import Draft
from shared import catalog
from shared.errors import Fault, InvalidSpec
from shared.spec import JobSpec
from shared.storage import Storage
from tests.fakes.admission import ADMIN
from worker import data as datasets
from worker.build import build, is_regression
from worker.data.job_data import Data
from worker.data.tensors import take
from worker.sidecar.operations import respond
from worker.training.checkpoint import metadata
from worker.training.divergence import Diverged
from worker.training.evaluation import evaluate_classification, evaluate_regression
from worker.training.experiment import Experiment, Split, Splits
from worker.training.fit import fit
from worker.training.transfer import Weights


class Sidecar:
    """The functions of the sidecar, without its process."""

    def send(self, operation: str, fields: dict[str, Any]) -> dict[str, Any]:
        request = json.loads(json.dumps({"operation": operation, **fields}))
        response = json.loads(json.dumps(respond(request)))
        if not response["ok"]:
            raise InvalidSpec([Fault(**fault) for fault in response["faults"]])
        return response

    def confirm(self, operation: str, fields: dict[str, Any]) -> None:
        self.send(operation, fields)

    def describe(self, fields: dict[str, Any]) -> dict[str, Any]:
        return self.send("describe", fields)


METHODS = Methods(catalog.load())


def check(raw: Any, storage: Storage | None = None) -> Draft:
    """Check a specification as the service does.

    Raises:
        InvalidSpec: with its faults.
    """
    services: Any = SimpleNamespace(
        methods=METHODS, sidecar=Sidecar(), database=None, storage=storage
    )
    return service.check(services, ADMIN, parse(json.dumps(raw).encode()))


def checked(raw: Any) -> tuple[dict[str, Any], list[Fault]]:
    """Return the filled specification, or the faults."""
    try:
        return check(raw).filled, []
    except InvalidSpec as refused:
        return {}, refused.faults


def build_experiment(
    filled: dict[str, Any], home: Path, weights: Weights | None = None
) -> Experiment:
    """Build the experiment of a filled specification, as an attempt does."""
    spec = JobSpec.model_validate(filled)
    dataset, chosen = datasets.load_splits(
        filled["dataset"],
        is_number=is_regression(spec),
        seed=spec.seed,
        data_dir=home / "data",
        cache_dir=home / "cache",
    )
    splits = Splits(
        *(Split(*take(dataset, part)) for part in (chosen.train, chosen.validation, chosen.test))
    )
    return build(spec, Data(dataset.class_names, splits, dataset.features), weights=weights)


def train(experiment: Experiment) -> None:
    """Train and evaluate as an attempt does, without recording anything."""
    metadata(experiment)
    try:
        for report in fit(experiment):
            snapshot = getattr(report, "snapshot", None)
            if snapshot is not None:
                snapshot()
    except Diverged:
        return  # a learning rate of 1000 is valid and diverges
    if experiment.class_names:
        evaluate_classification(experiment, experiment.model, experiment.splits.test, experiment.ks)
    else:
        evaluate_regression(experiment, experiment.model, experiment.splits.test)


def is_accepted(raw: Any, home: Path) -> bool:
    """Check that a specification is refused with faults or can be trained; return which."""
    filled, faults = checked(raw)
    if not filled:
        assert faults
        assert all(fault.pointer.startswith("/") and fault.detail for fault in faults)
        return False
    assert checked(filled) == (filled, [])
    train(build_experiment(filled, home))
    return True
