"""Bodies that are made to be large are answered quickly and with a short answer."""

import difflib
import json
from typing import Any
from unittest.mock import patch

import pytest

from api.http import faults
from shared.errors import MAX_FAULTS
from tests.api.service import SPEC, Service

MLP, HE = {"name": "mlp"}, {"name": "he_normal"}
LARGE: dict[str, dict[str, Any]] = {
    "lists": {"architecture": {**MLP, "hidden_units": [0] * 400_000}},
    "lists of valid entries": {"architecture": {**MLP, "hidden_units": [1] * 400_000}},
    "fields": {f"f{n}": 0 for n in range(80_000)},
    "regularizers": {"regularizers": {f"r{n}": 0 for n in range(80_000)}},
    "overrides": {"initializer": {**HE, "overrides": {f"l{n}": "x" for n in range(60_000)}}},
    "checkpoints": {"checkpoints": [{"epoch": 1}] * 60_000},
    "a name": {"x" * 900_000: 0},
    "levels of lists": {"checkpoints": [[[0] * 99] * 99] * 20},
}
#: As large as bodies that are checked can be.
LARGEST: dict[str, dict[str, Any]] = {
    "lists": {"architecture": {**MLP, "hidden_units": [0] * 10_000}},
    "fields": {f"f{n}": 0 for n in range(990)},
    "regularizers": {"regularizers": {f"r{n}": 0 for n in range(1_000)}},
    "augmentations": {"augmentation": {f"r{n}": 0 for n in range(1_000)}},
    "overrides": {"initializer": {**HE, "overrides": {f"l{n}": "x" for n in range(1_000)}}},
    "parameters": {"architecture": {**MLP, **{f"activation{n}": 0 for n in range(990)}}},
    "parameters of overrides": {
        "initializer": {
            **HE,
            "overrides": {f"l{n}": {**HE, **{f"p{m}": 0 for m in range(900)}} for n in range(20)},
        }
    },
    "checkpoints": {"checkpoints": [{"epoch": 1}] * 9_000},
    "fields of checkpoints": {"checkpoints": [{f"f{n}": 0 for n in range(900)}] * 20},
}


@pytest.mark.parametrize("changes", LARGE.values(), ids=LARGE)
def test_values_of_a_body_that_is_too_large_are_not_read(
    service: Service, changes: dict[str, Any]
) -> None:
    body = json.dumps({**SPEC, **changes}, separators=(",", ":")).encode()
    assert len(body) < 1_000_000
    for path in ("/v1/jobs", "/v1/jobs/validate", "/v1/augmentation/preview"):
        with patch.object(faults, "json") as formatter:
            answer = service.post(path, body)
        assert answer.status_code == 422
        assert not formatter.mock_calls, "a value was formatted for a message"
        assert len(answer.json()["errors"]) == 1
        assert len(answer.content) < 1_000


@pytest.mark.parametrize("changes", LARGEST.values(), ids=LARGEST)
def test_answer_has_at_most_a_hundred_faults(service: Service, changes: dict[str, Any]) -> None:
    body = json.dumps({**SPEC, **changes}).encode()
    with patch.object(difflib, "get_close_matches", wraps=difflib.get_close_matches) as matches:
        answer = service.post("/v1/jobs", body)
    assert answer.status_code == 422
    problem = answer.json()
    assert len(problem["errors"]) <= MAX_FAULTS
    if len(problem["errors"]) == MAX_FAULTS:
        assert f"more than {MAX_FAULTS} faults" in problem["detail"]
    assert len(answer.content) < 100_000
    assert matches.call_count <= 2 * MAX_FAULTS + 2
    assert service.rows()["jobs"] == 0


def test_a_hundred_faults_are_all_reported(service: Service) -> None:
    answer = service.post("/v1/jobs", {**SPEC, **{f"f{n}": 0 for n in range(MAX_FAULTS)}})
    problem = answer.json()
    assert len(problem["errors"]) == MAX_FAULTS
    assert f"has {MAX_FAULTS} faults; `errors` names each" in problem["detail"]


def test_longest_list_that_is_allowed_is_read(service: Service) -> None:
    features = [f"column {n}" for n in range(10_000)]
    dataset = {"name": "table", "file": "a.csv", "target": "y", "features": features}
    service.sidecar.respond = lambda _: {
        "ok": True, "rows": 9, "classes": ["a"], "features": features,
        "content_hash": f"sha256:{'0' * 64}", "parameter_count": {}, "warnings": [],
    }  # fmt: skip
    found = service.faults({**SPEC, "dataset": dataset, "training": {"epochs": 0}})
    assert "/training/epochs" in found
    assert "/dataset/features" not in found
