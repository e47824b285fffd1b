"""Every accepted specification can be trained; every other is refused before it is recorded."""

import copy
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings

from api.catalog.methods import Methods
from api.http.strict_json import parse
from api.jobs import service
from shared import catalog
from shared.errors import Fault, InvalidSpec
from shared.spec import JobSpec
from tests.api.jobs.admission.specifications import (
    CHANGES,
    CLASSIFICATION,
    REGRESSION,
    set_value,
    specification,
)
from worker import data as datasets
from worker.build import Data, build, is_regression
from worker.data.tensors import take
from worker.sidecar import server
from worker.training.checkpoint import metadata
from worker.training.divergence import Diverged
from worker.training.experiment import Split, Splits
from worker.training.fit import fit

#: More than by default are drawn at random, so that each time they differ.
REQUESTED = os.environ.get("TRAINSHED_TEST_EXAMPLES")
EXAMPLES = int(REQUESTED or 60)


class Sidecar:
    """The functions of the sidecar, without its process."""

    def send(self, operation: str, fields: dict[str, Any]) -> dict[str, Any]:
        response = server.respond({"operation": operation, **fields})
        if not response["ok"]:
            raise InvalidSpec([Fault(**fault) for fault in response["faults"]])
        return response

    def describe(self, fields: dict[str, Any]) -> dict[str, Any]:
        return self.send("describe", fields)


SERVICES: Any = SimpleNamespace(
    methods=Methods(catalog.load()), sidecar=Sidecar(), database=None, storage=None
)


def _checked(raw: Any) -> tuple[dict[str, Any], list[Fault]]:
    """Return the filled specification, or the faults."""
    try:
        draft = service.check(SERVICES, parse(json.dumps(raw).encode()))
    except InvalidSpec as refused:
        return {}, refused.faults
    return draft.filled, []


def _train(filled: dict[str, Any], home: Path) -> None:
    """Train as an attempt does, without recording anything."""
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
    experiment = build(spec, Data(dataset.class_names, splits))
    metadata(experiment)
    try:
        for report in fit(experiment):
            report.snapshot() if hasattr(report, "snapshot") else None
    except Diverged:
        pass  # a learning rate of 1000 is valid and diverges


def _is_accepted(raw: Any, home: Path) -> bool:
    """Check that a specification is refused with faults or can be trained; return which."""
    filled, faults = _checked(raw)
    if not filled:
        assert faults
        assert all(fault.pointer.startswith("/") and fault.detail for fault in faults)
        return False
    assert _checked(filled) == (filled, [])
    _train(filled, home)
    return True


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.mark.parametrize(
    "spec_of_task", [CLASSIFICATION, REGRESSION], ids=["classification", "regression"]
)
def test_each_change_alone_is_refused_or_can_be_trained(
    spec_of_task: dict[str, Any], home: Path
) -> None:
    assert _is_accepted(spec_of_task, home)
    accepted = 0
    for path, value in CHANGES:
        spec = copy.deepcopy(spec_of_task)
        set_value(spec, path, copy.deepcopy(value))
        accepted += _is_accepted(spec, home)
    assert accepted < len(CHANGES) / 3


def test_random_specification_is_refused_or_can_be_trained(home: Path) -> None:
    counts = {True: 0, False: 0}

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=REQUESTED is None,
        database=None,
        phases=(Phase.explicit, Phase.generate),  # shrinking takes minutes
        suppress_health_check=list(HealthCheck),
    )
    @given(raw=specification())
    def check(raw: Any) -> None:
        note(json.dumps(raw))
        counts[_is_accepted(raw, home)] += 1

    check()
    assert min(counts.values()) > EXAMPLES / 10, counts
