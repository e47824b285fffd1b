"""The strict JSON parser, through the routes that use it."""

import json

import pytest

from tests.api.service import SPEC, Service


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "not valid JSON"),
        (b"{", "line 1, column 2"),
        (b'{"a": 1} x', "not valid JSON"),
        (b"\xff\xfe{}", "UTF-8"),
        (b'{"seed": NaN}', "NaN"),
        (b'{"seed": Infinity}', "Infinity"),
        (b'{"seed": -Infinity}', "Infinity"),
        (b'{"seed": 1e999}', "too large"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "5000 digits; at most 400"),
        (b'{"seed": 1, "seed": 2}', "'seed' twice"),
        (b'{"name": "\\ud800"}', "surrogate"),
        (b'{"name": "a\\u0000"}', "NUL"),
        (b"[" * 10_000 + b"]" * 10_000, "32 levels"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "32 levels"),
        (b'{"a": "' + b"[" * 40 + b'"', "not valid JSON"),
        # Scanned once, not once for each quotation mark, which would take an hour.
        pytest.param(b'"' + b'\\"' * 450_000, "not valid JSON", id="no end"),
        pytest.param(b'"' + b'\\"' * 450_000 + b"\\", "not valid JSON", id="no end at all"),
    ],
)
def test_invalid_json_is_refused_with_the_reason(
    service: Service, body: bytes, detail: str
) -> None:
    for path in ("/v1/jobs", "/v1/jobs/validate"):
        response = service.post(path, body)
        assert response.status_code == 400, response.text
        assert detail in response.json()["detail"]
    assert service.rows()["jobs"] == 0


def test_list_of_too_many_entries_is_a_fault_at_its_pointer(service: Service) -> None:
    body = json.dumps({**SPEC, "metrics": {"top_k": [1] * 300_000}}).encode()
    assert len(body) < 1_000_000
    faults = service.faults(body)
    assert faults["/metrics/top_k"] == "has 300,000 entries; at most 10,000 are allowed"
