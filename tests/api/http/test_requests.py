"""Media types, idempotency keys and cursors."""

import json

import pytest

from api.http.requests import check_idempotency_key
from shared.errors import BadRequest
from tests.api.service import SPEC, Service


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-yaml"])
def test_body_of_another_media_type_is_refused(service: Service, media_type: str) -> None:
    headers = {"Content-Type": media_type}
    response = service.client.post("/v1/jobs", content=json.dumps(SPEC), headers=headers)
    assert response.status_code == 415
    assert "application/json" in response.json()["detail"]


@pytest.mark.parametrize("key", [None, "k", "k" * 255, "!~"])
def test_valid_idempotency_key_is_accepted(key: str | None) -> None:
    check_idempotency_key(key)


@pytest.mark.parametrize("key", ["", "k" * 256, "a b", "é", "a\n"])
def test_invalid_idempotency_key_is_refused(key: str) -> None:
    with pytest.raises(BadRequest, match="1 to 255 visible ASCII"):
        check_idempotency_key(key)


@pytest.mark.parametrize("after", ["foo", "zzz", "job_", "user_" + "0" * 26, "job_" + "!" * 26])
def test_cursor_that_is_not_an_id_is_refused(service: Service, after: str) -> None:
    job_id = service.submit()
    for path in ("/v1/jobs", f"/v1/jobs/{job_id}/checkpoints", "/v1/weights"):
        response = service.client.get(path, params={"after": after})
        assert response.status_code == 400
        assert response.headers["content-type"] == "application/problem+json"
        assert repr(after) in response.json()["detail"]
