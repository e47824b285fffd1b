"""The filter `tag`: a tag's key, or its key and value."""

import pytest

from tests.api.service import Service


@pytest.mark.parametrize(
    "tag",
    ["team:vision", "team:vision:first of all", "team", "team:nlp:second", "city", "city:東京　駅"],
)
def test_every_tag_that_a_specification_may_have_is_found(service: Service, tag: str) -> None:
    job_id = service.submit(
        tags={"team:vision": "first of all", "team": "nlp:second", "city": "東京　駅"}
    )
    service.submit(tags={"other": "team"})
    answer = service.client.get("/v1/jobs", params={"tag": tag}).raise_for_status()
    assert [job["id"] for job in answer.json()["data"]] == [job_id]


@pytest.mark.parametrize("tag", ["vision", "team:", "team:vision:", ":", "team:nlp", ":" * 600])
def test_a_part_of_a_tag_is_not_a_tag(service: Service, tag: str) -> None:
    service.submit(tags={"team:vision": "first", "team": "nlp:second"})
    assert service.client.get("/v1/jobs", params={"tag": tag}).json()["data"] == []


def test_the_longest_key_and_value_there_may_be(service: Service) -> None:
    key, value = ":" * 64, ":" * 512
    job_id = service.submit(tags={key: value})
    answer = service.client.get("/v1/jobs", params={"tag": f"{key}:{value}"}).raise_for_status()
    assert [job["id"] for job in answer.json()["data"]] == [job_id]


def test_what_no_tag_may_have_is_told(service: Service) -> None:
    answer = service.client.get("/v1/jobs", params={"tag": "a\x00b"})
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert fault["pointer"] == "/query/tag"
    assert fault["detail"].startswith("contains the character U+0000")
