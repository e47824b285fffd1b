import json
import re
from pathlib import Path
from typing import Any

import pytest

from api.presets import presets as module
from api.presets.presets import presets
from tests.api.service import Service

#: What the methods' page asks for, by what the specification holds.
LESSONS = {
    "small-vgg-plain": (),
    "small-vgg-l2": ("regularizers", "l2"),
    "small-vgg-dropout": ("regularizers", "dropout"),
    "small-vgg-augmentation": ("augmentation", "rotation"),
    "small-vgg-label-smoothing": ("regularizers", "label_smoothing"),
    "small-vgg-mixup": ("regularizers", "mixup"),
    "small-vgg-vat": ("regularizers", "vat"),
    "deep-sigmoid-bad-initializer": ("initializer", "name"),
    "transfer-learning": ("fine_tuning", "stages"),
}


def test_every_preset_is_listed_in_its_order_page_after_page(service: Service) -> None:
    names, after = [], {}
    while True:
        page = service.client.get("/v1/presets", params={"limit": 4, **after}).json()
        names += [one["id"] for one in page["data"]]
        if not page["has_more"]:
            break
        after = {"after": names[-1]}
    assert names == [*presets()]
    assert set(LESSONS) <= set(names)


@pytest.mark.parametrize("name", [*presets()])
def test_a_preset_is_admitted_as_it_is(service: Service, name: str) -> None:
    found = service.client.get(f"/v1/presets/{name}").raise_for_status().json()
    assert found["object"] == "preset"
    assert all(found[field] for field in ("title", "teaches", "look_at"))
    answer = service.post("/v1/jobs/validate", found["spec"])
    assert answer.status_code == 200, answer.text
    assert answer.json()["spec"]["name"] == name


@pytest.mark.parametrize(("name", "path"), LESSONS.items())
def test_a_preset_holds_what_it_teaches(name: str, path: tuple[str, ...]) -> None:
    value: Any = presets()[name].spec
    for key in path:
        value = value[key]
    assert value


def test_the_small_networks_differ_from_the_plain_one_in_one_thing() -> None:
    plain = presets()["small-vgg-plain"].spec
    for name, one in presets().items():
        if name.startswith("small-vgg-") and name != "small-vgg-plain":
            differ = {key for key in one.spec if one.spec[key] != plain.get(key)}
            assert len(differ - {"name"}) == 1, name


@pytest.mark.parametrize("name", [*presets()])
def test_the_metrics_that_a_lesson_speaks_of_are_those_of_its_job(
    service: Service, name: str
) -> None:
    one = presets()[name]
    text = f"{one.teaches} {one.look_at}"
    named = set(re.findall(r"\b(?:train|val)_\w+|\bgeneralization_gap\b", text))
    for metric in named:
        spec = one.spec | {"checkpoints": [{"monitor": metric, "mode": "min"}]}
        answer = service.post("/v1/jobs/validate", spec)
        assert answer.status_code == 200, answer.text


class TestTransferLearning:
    TUNING: dict[str, Any] = presets()["transfer-learning"].spec["fine_tuning"]

    def test_what_its_head_drops_has_a_hidden_layer_before_it(self) -> None:
        assert self.TUNING["head"] == {"hidden_units": [256], "dropout": 0.3}

    def test_its_second_rate_is_as_many_times_smaller_as_it_says(self) -> None:
        first, second = (stage["optimizer"]["learning_rate"] for stage in self.TUNING["stages"])
        assert first / second == pytest.approx(10)
        assert "ten times smaller" in presets()["transfer-learning"].teaches


def test_a_name_that_is_none_is_told_the_nearest(service: Service) -> None:
    answer = service.client.get("/v1/presets/small-vgg-mixupp")
    assert answer.status_code == 404
    assert "small-vgg-mixup" in answer.json()["detail"]
    assert service.client.get("/v1/presets", params={"after": "nothing"}).status_code == 400


def test_a_file_named_otherwise_is_a_mistake_and_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lesson.json").write_text(json.dumps({}))
    monkeypatch.setattr(module, "LESSONS", tmp_path)
    with pytest.raises(ValueError, match=r"lesson\.json"):
        presets.__wrapped__()
