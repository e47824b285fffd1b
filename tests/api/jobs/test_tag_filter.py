"""The filter `tag`: the key of a tag, or its key and value."""

import pytest

from tests.api.service import Service


@pytest.mark.parametrize(
    "tag",
    [
        *("team:vision", "team:vision:first of all", "team", "team:nlp:second", "city"),
        *("city:東京　駅", "team=nlp:second", "team:vision=first of all"),
    ],
)
def test_every_valid_tag_is_found(service: Service, tag: str) -> None:
    job_id = service.submit(
        tags={"team:vision": "first of all", "team": "nlp:second", "city": "東京　駅"}
    )
    service.submit(tags={"other": "team"})
    response = service.client.get("/v1/jobs", params={"tag": tag}).raise_for_status()
    assert [job["id"] for job in response.json()["data"]] == [job_id]


@pytest.mark.parametrize("tag", ["vision", "team:", "team:vision:", ":", "team:nlp", ":" * 600])
def test_part_of_a_tag_matches_nothing(service: Service, tag: str) -> None:
    service.submit(tags={"team:vision": "first", "team": "nlp:second"})
    assert service.client.get("/v1/jobs", params={"tag": tag}).json()["data"] == []


def test_longest_key_and_value_are_found(service: Service) -> None:
    key, value = ":" * 64, ":" * 512
    job_id = service.submit(tags={key: value})
    response = service.client.get("/v1/jobs", params={"tag": f"{key}:{value}"}).raise_for_status()
    assert [job["id"] for job in response.json()["data"]] == [job_id]


def test_character_that_no_tag_may_contain_is_a_fault(service: Service) -> None:
    response = service.client.get("/v1/jobs", params={"tag": "a\x00b"})
    assert response.status_code == 422
    (fault,) = response.json()["errors"]
    assert fault["pointer"] == "/query/tag"
    assert "U+0000" in fault["detail"]
