"""Every accepted specification can be trained; every other is refused before it is recorded."""

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings

from tests.api.jobs.admission.acceptance import is_accepted
from tests.api.jobs.admission.specifications import (
    CHANGES,
    CLASSIFICATION,
    REGRESSION,
    set_value,
    specification,
)

#: More than by default are drawn at random, so that each time they differ.
REQUESTED = os.environ.get("TRAINSHED_TEST_EXAMPLES")
EXAMPLES = int(REQUESTED or 60)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.mark.parametrize(
    "spec_of_task", [CLASSIFICATION, REGRESSION], ids=["classification", "regression"]
)
def test_each_change_alone_is_refused_or_can_be_trained(
    spec_of_task: dict[str, Any], home: Path
) -> None:
    assert is_accepted(spec_of_task, home)
    accepted = 0
    for path, value in CHANGES:
        spec = copy.deepcopy(spec_of_task)
        set_value(spec, path, copy.deepcopy(value))
        accepted += is_accepted(spec, home)
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
        counts[is_accepted(raw, home)] += 1

    check()
    assert min(counts.values()) > EXAMPLES / 10, counts
