"""Any specification that is admitted trains; anything else is refused there, not in a worker."""

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
from tests.api.specifications import CLASSES, NUMBERS, WRONG, put, specification
from worker import data as datasets
from worker.build import Data, build, is_regression
from worker.data.tensors import take
from worker.sidecar import server
from worker.training.checkpoint import metadata
from worker.training.divergence import Diverged
from worker.training.experiment import Split, Splits
from worker.training.fit import fit

#: As many as the tests have time for; more are drawn anew each time.
ASKED = os.environ.get("TRAINSHED_TEST_EXAMPLES")
EXAMPLES = int(ASKED or 60)


class Sidecar:
    """The sidecar's own functions without its process."""

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        answer = server.answer(question)
        if not answer["ok"]:
            raise InvalidSpec([Fault(**one) for one in answer["faults"]])
        return answer

    def describe(self, question: dict[str, Any]) -> dict[str, Any]:
        return self.ask({"ask": "describe", **question})


SERVICES: Any = SimpleNamespace(
    methods=Methods(catalog.load()), sidecar=Sidecar(), database=None, storage=None
)


def _checked(raw: Any) -> tuple[dict[str, Any], list[Fault]]:
    """What is filled in, or the faults."""
    try:
        draft = service.check(SERVICES, parse(json.dumps(raw).encode()))
    except InvalidSpec as refused:
        return {}, refused.faults
    return draft.filled, []


def _train(filled: dict[str, Any], home: Path) -> None:
    """What an attempt does, without what it records."""
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
        pass  # what a learning rate of 1000 does is the job's own affair


def _holds(raw: Any, home: Path) -> bool:
    """Whether it is admitted, once what that means was seen to hold."""
    filled, faults = _checked(raw)
    if not filled:
        assert faults
        assert all(one.pointer.startswith("/") and one.detail for one in faults)
        return False
    assert _checked(filled) == (filled, [])
    _train(filled, home)
    return True


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.mark.parametrize("right", [CLASSES, NUMBERS], ids=["classes", "numbers"])
def test_each_change_alone_is_refused_or_trains(right: dict[str, Any], home: Path) -> None:
    assert _holds(right, home)
    admitted = 0
    for place, value in WRONG:
        spec = copy.deepcopy(right)
        put(spec, place, copy.deepcopy(value))
        admitted += _holds(spec, home)
    assert admitted < len(WRONG) / 3


def test_any_specification_is_refused_or_trains(home: Path) -> None:
    ends = {True: 0, False: 0}

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=ASKED is None,
        database=None,
        phases=(Phase.explicit, Phase.generate),  # shrinking takes minutes
        suppress_health_check=list(HealthCheck),
    )
    @given(raw=specification())
    def holds(raw: Any) -> None:
        note(json.dumps(raw))
        ends[_holds(raw, home)] += 1

    holds()
    assert min(ends.values()) > EXAMPLES / 10, ends
