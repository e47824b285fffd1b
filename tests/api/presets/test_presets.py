"""The presets: every preset is valid, teaches what its name says and mentions existing metrics."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from api.presets import presets as module
from api.presets.presets import presets
from tests.api.service import Service

#: A field of the specification that each lesson depends on.
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


def test_presets_are_listed_in_order_in_pages(service: Service) -> None:
    names, after = [], {}
    while True:
        page = service.client.get("/v1/presets", params={"limit": 4, **after}).json()
        names += [preset["id"] for preset in page["data"]]
        if not page["has_more"]:
            break
        after = {"after": names[-1]}
    assert names == [*presets()]
    assert set(LESSONS) <= set(names)


@pytest.mark.parametrize("name", [*presets()])
def test_preset_is_valid_without_change(service: Service, name: str) -> None:
    preset = service.client.get(f"/v1/presets/{name}").raise_for_status().json()
    assert preset["object"] == "preset"
    assert all(preset[field] for field in ("title", "teaches", "look_at"))
    response = service.post("/v1/jobs/validate", preset["spec"])
    assert response.status_code == 200, response.text
    assert response.json()["spec"]["name"] == name


@pytest.mark.parametrize(("name", "path"), LESSONS.items())
def test_preset_contains_what_it_teaches(name: str, path: tuple[str, ...]) -> None:
    value: Any = presets()[name].spec
    for key in path:
        value = value[key]
    assert value


def test_each_small_network_differs_from_the_plain_network_in_a_single_field() -> None:
    plain = presets()["small-vgg-plain"].spec
    for name, preset in presets().items():
        if name.startswith("small-vgg-") and name != "small-vgg-plain":
            changed = {key for key in preset.spec if preset.spec[key] != plain.get(key)}
            assert len(changed - {"name"}) == 1, name


@pytest.mark.parametrize("name", [*presets()])
def test_metrics_that_a_lesson_mentions_exist_in_its_job(service: Service, name: str) -> None:
    preset = presets()[name]
    text = f"{preset.teaches} {preset.look_at}"
    mentioned = set(re.findall(r"\b(?:train|val)_\w+|\bgeneralization_gap\b", text))
    for metric in mentioned:
        spec = preset.spec | {"checkpoints": [{"monitor": metric}]}
        response = service.post("/v1/jobs/validate", spec)
        assert response.status_code == 200, response.text


class TestTransferLearning:
    FINE_TUNING: dict[str, Any] = presets()["transfer-learning"].spec["fine_tuning"]

    def test_head_has_a_hidden_layer_before_its_dropout(self) -> None:
        assert self.FINE_TUNING["head"] == {"hidden_units": [256], "dropout": 0.3}

    def test_second_learning_rate_is_as_small_as_the_lesson_says(self) -> None:
        stages = self.FINE_TUNING["stages"]
        first, second = (stage["optimizer"]["learning_rate"] for stage in stages)
        assert first / second == pytest.approx(100)
        assert "a hundred times smaller" in presets()["transfer-learning"].teaches


def test_error_for_an_unknown_name_has_the_nearest_name(service: Service) -> None:
    response = service.client.get("/v1/presets/small-vgg-mixupp")
    assert response.status_code == 404
    assert "small-vgg-mixup" in response.json()["detail"]
    assert service.client.get("/v1/presets", params={"after": "nothing"}).status_code == 400


def test_file_with_an_invalid_name_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lesson.json").write_text(json.dumps({}))
    monkeypatch.setattr(module, "LESSONS", tmp_path)
    with pytest.raises(ValueError, match=r"lesson\.json"):
        presets.__wrapped__()
