"""The pages of the catalogue."""

import html
import re

import httpx
import pytest

from api.dashboard.catalogue.parameters import parameters
from api.dashboard.catalogue.slots import BY_NAME, SLOTS, example, is_used
from api.dashboard.formats import with_code
from shared.catalog import load
from tests.api.service import Service

CATALOG = load()


def test_the_index_links_every_method(browser: httpx.Client) -> None:
    page = browser.get("/catalog").text
    for slot in SLOTS:
        for name in CATALOG[slot.name]:
            assert f'href="/catalog/{slot.name}/{name}"' in page
    assert set(CATALOG) == {slot.name for slot in SLOTS} | {"metrics"}


def test_the_filter_keeps_what_contains_all_words(browser: httpx.Client) -> None:
    page = browser.get("/catalog?q=Kingma adam").text
    assert 'href="/catalog/optimizers/adam"' in page
    assert "/catalog/optimizers/sgd" not in page
    nothing = browser.get("/catalog", params={"q": "<b>nothing"}).text
    assert "Nothing contains “&lt;b&gt;nothing”" in nothing


@pytest.mark.parametrize("slot", list(BY_NAME))
def test_a_method_has_its_formula_source_and_parameters(browser: httpx.Client, slot: str) -> None:
    for name, method in list(CATALOG[slot].items())[:2]:
        response = browser.get(f"/catalog/{slot}/{name}")
        assert response.status_code == 200
        text = html.unescape(response.text)
        assert html.unescape(with_code(method["summary"])) in text
        assert method["source"] in text
        for each in parameters(method):
            assert f"<code>{each.name}</code>" in text
            assert each.bounds in text
            assert f"<code>{each.default}</code>" in text


def test_names_between_backticks_are_code_and_all_else_is_text() -> None:
    assert with_code("`a` <b>") == "<code>a</code> &lt;b&gt;"
    assert with_code("`<i>\u202e`") == "<code>&lt;i&gt;\\u202e</code>"


def test_parameters_are_described_by_their_bounds_and_defaults() -> None:
    beta1, *_ = parameters(CATALOG["optimizers"]["adam"])
    assert (beta1.type, beta1.bounds, beta1.default) == ("number", "≥ 0, < 1", "0.9")
    assert beta1.is_short_form
    only = {each.name: each for each in parameters(CATALOG["regularizers"]["l2"])}["only"]
    assert only.type == "text or null"
    assert only.default == "null"
    units = {each.name: each for each in parameters(CATALOG["architectures"]["mlp"])}
    assert units["hidden_units"].bounds == "1 to 32 values, each ≥ 1, ≤ 65,536"
    assert units["activation"].bounds.startswith("sigmoid, tanh")
    zoom = parameters(CATALOG["augmentations"]["brightness"])[0]
    assert zoom.bounds.startswith("2 values, each > 0")


def test_plots_are_drawn(browser: httpx.Client) -> None:
    page = browser.get("/catalog/schedules/cosine").text
    assert len(re.findall(r'class="line c[12]" d="M', page)) == 2
    assert "Draw images" not in page
    assert 'class="chart"' not in browser.get("/catalog/analyses/curvature").text


def test_an_augmentation_is_drawn_on_request(service: Service, browser: httpx.Client) -> None:
    page = browser.get("/catalog/augmentations/rotation").text
    assert "Draw images" in page
    assert "<img" not in page
    service.sidecar.respond = lambda _: {"ok": True, "png": "aW1hZ2U="}
    page = browser.post("/catalog/augmentations/rotation", data={"seed": "3"}).text
    assert 'src="data:image/png;base64,aW1hZ2U="' in page
    assert 'name="seed" value="4"' in page
    asked = service.sidecar.requests[-1]
    assert (asked["seed"], asked["augmentation"]) == (3, {"rotation": {"degrees": 10.0}})
    browser.post("/catalog/augmentations/fill_mode", data={"seed": "0"})
    assert "rotation" in service.sidecar.requests[-1]["augmentation"]
    page = browser.post("/catalog/augmentations/rotation", data={"seed": "-1"})
    assert (page.status_code, "seed" in page.text) == (422, True)
    assert browser.post("/catalog/augmentations/none").status_code == 404


def test_a_name_that_does_not_exist_is_answered_with_the_nearest(browser: httpx.Client) -> None:
    for path, hint in (("optimizers/adm", "adam"), ("optimizer/adam", "optimizers")):
        response = browser.get(f"/catalog/{path}")
        assert response.status_code == 404
        assert hint in response.text


def test_presets_that_use_a_method_are_named(browser: httpx.Client) -> None:
    page = browser.get("/catalog/regularizers/mixup").text
    assert re.findall(r'preset=([\w-]+)">\1<', page) == ["small-vgg-mixup"]
    assert "preset=dead_relu" in browser.get("/catalog/diagnostics/dead_relu").text


def test_a_method_is_found_in_short_and_long_forms_and_in_stages() -> None:
    optimizers, l2 = BY_NAME["optimizers"], BY_NAME["regularizers"]
    assert is_used(optimizers, "adam", {"optimizer": "adam"})
    assert is_used(
        optimizers, "adam", {"fine_tuning": {"stages": [{"optimizer": {"name": "adam"}}]}}
    )
    assert not is_used(optimizers, "adam", {"optimizer": {"name": "adamw"}})
    assert is_used(l2, "l2", {"regularizers": {"l2": True}})
    assert not is_used(l2, "l2", {"regularizers": {"l2": False}})
    assert not is_used(BY_NAME["analyses"], "curvature", {"kind": "curvature"})


def test_a_method_leads_to_a_form_that_uses_it(service: Service, browser: httpx.Client) -> None:
    page = browser.get("/jobs/new?slot=schedules&method=cosine").text
    assert 'name="/optimizer/schedule/final"' in page
    page = browser.get("/jobs/new?slot=regularizers&method=l2").text
    assert re.search(r'name="/regularizers/l2" value="true"', page)
    for slot in SLOTS:
        if slot.pointer is not None and slot.name != "diagnostics":
            name = next(iter(CATALOG[slot.name]))
            assert browser.get(f"/jobs/new?slot={slot.name}&method={name}").status_code == 200


def test_the_example_is_the_part_of_a_specification() -> None:
    assert example(BY_NAME["schedules"], "cosine", {"final": 0.0}) == {
        "optimizer": {"schedule": {"name": "cosine", "final": 0.0}}
    }
    assert example(BY_NAME["regularizers"], "l2") == {"regularizers": {"l2": True}}
    assert example(BY_NAME["analyses"], "curvature") == {"kind": "curvature", "checkpoint": "last"}
