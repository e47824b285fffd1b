"""The routes of uploaded weights."""

import pytest

from tests.api.service import Service
from tests.api.weights.files import ADDRESS, FILE, stored, upload

pytestmark = pytest.mark.usefixtures("no_uploads")


def test_other_media_types_are_refused(service: Service) -> None:
    response = service.client.post(ADDRESS, content=FILE, headers={"Content-Type": "image/png"})
    assert response.status_code == 415
    assert service.client.post(ADDRESS, content=FILE).status_code == 415


def test_invalid_name_is_refused(service: Service) -> None:
    assert upload(service, name="a\nb").status_code == 422
    assert upload(service, name="x" * 201).status_code == 422
    assert stored(service) == ([], 0)


def test_only_the_upload_itself_may_exceed_the_body_limit(service: Service) -> None:
    big = b" " * 1_100_000
    assert service.client.post("/v1/weights/x", content=big).status_code == 413


def test_uploads_are_listed_newest_first_in_pages(service: Service) -> None:
    ids = [upload(service, name=str(n)).json()["id"] for n in range(3)]
    first = service.client.get(ADDRESS, params={"limit": 2}).json()
    rest = service.client.get(ADDRESS, params={"after": first["data"][-1]["id"]}).json()
    assert [weights["id"] for weights in [*first["data"], *rest["data"]]] == ids[::-1]
    assert (first["has_more"], rest["has_more"]) == (True, False)


@pytest.mark.parametrize("weights_id", ["x", "..%2f..", "job_" + "0" * 26, "weights_" + "0" * 26])
def test_unknown_id_is_not_found(service: Service, weights_id: str) -> None:
    assert service.client.get(f"{ADDRESS}/{weights_id}").status_code == 404
    assert service.client.delete(f"{ADDRESS}/{weights_id}").status_code == 404


def test_deleted_upload_is_gone(service: Service) -> None:
    weights_id = upload(service).json()["id"]
    response = service.client.delete(f"{ADDRESS}/{weights_id}")
    assert response.json()["freed_bytes"] == len(FILE)
    assert stored(service) == ([], 0)
    assert service.client.delete(f"{ADDRESS}/{weights_id}").status_code == 404
