"""Lessons: a faulty specification and its healthy twin for each rule that can be shown."""

import pytest

from api.presets.presets import lessons, presets
from tests.api.service import Service
from tests.fakes.admission import faults


def test_lessons_are_listed_by_their_kind(service: Service) -> None:
    page = service.client.get("/v1/presets", params={"kind": "lesson", "limit": 100}).json()
    assert [entry["name"] for entry in page["data"]] == [*lessons()]
    assert "vanishing_gradient" in lessons()
    assert {entry["kind"] for entry in page["data"]} == {"lesson"}
    plain = service.client.get("/v1/presets", params={"limit": 100}).json()
    assert [entry["name"] for entry in plain["data"]] == [*presets()]


def test_a_lesson_is_found_by_the_name_of_its_rule(service: Service) -> None:
    lesson = service.client.get("/v1/presets/dead_relu").raise_for_status().json()
    assert lesson["spec"]["optimizer"]["learning_rate"] > 1
    assert lesson["twin"]["name"] == "dead-relu-twin"
    unknown = service.client.get("/v1/presets/dead_relus")
    assert unknown.status_code == 404
    assert "dead_relu" in unknown.json()["detail"]


@pytest.mark.parametrize("name", [*lessons()])
def test_fault_and_twin_are_valid(name: str) -> None:
    lesson = lessons()[name]
    assert faults(lesson.spec) == {}
    assert faults(lesson.twin) == {}
    assert lesson.title
    assert len(lesson.teaches) > 100
