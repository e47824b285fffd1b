"""The form: presets, faults at their fields, the check, and forks."""

import html
import json
import re
from typing import Any

import httpx
import pytest

from api.dashboard.submission import form
from api.dashboard.submission.fields import sections
from api.presets.presets import lessons, presets
from shared import catalog
from tests.api.service import Service

PRESETS = {**presets(), **lessons()}


def fields_of(page: str) -> dict[str, str]:
    """Return what a browser would send for a form as it stands."""
    text = page.partition('method="post" class="submit"')[2].partition("</form>")[0]
    found = {}
    for tag in re.findall(r"<input [^>]*>", text):
        name, value = (re.search(rf' {part}="([^"]*)"', tag) for part in ("name", "value"))
        if name:
            found[name[1]] = html.unescape(value[1]) if value else ""
    for name, options in re.findall(r'<select [^>]*name="([^"]*)"[^>]*>(.*?)</select>', text):
        chosen = re.search(r'value="([^"]*)" selected', options)
        found[name] = html.unescape(chosen[1]) if chosen else ""
    area = re.search(r'<textarea [^>]*name="/others"[^>]*>(.*?)</textarea>', text, re.DOTALL)
    found["/others"] = html.unescape(area[1]) if area else ""
    return found


def sent(browser: httpx.Client, address: str, values: dict[str, str]) -> httpx.Response:
    """Send the form and follow its redirect as a browser does: without an `Origin`."""
    response = browser.post(address, data=values)
    assert response.status_code == 303, response.text
    page = response.headers["location"].partition("#")[0]
    request = browser.build_request("GET", page)
    del request.headers["Origin"]
    request.headers["Sec-Fetch-Site"] = "none"
    return browser.send(request)


@pytest.mark.parametrize("name", PRESETS)
def test_a_specification_comes_out_of_the_form_as_it_went_in(name: str) -> None:
    spec = form.long_form(PRESETS[name].spec)
    parts = sections(catalog.load(), spec, ["digits"])
    values = {each.pointer: each.value for part in parts for each in part.fields}
    values[form.OTHERS] = form.others_text(form.rest_of(spec, parts))
    assert form.read(values) == (spec, [])


def test_a_preset_can_be_submitted_with_a_change(service: Service, browser: httpx.Client) -> None:
    values = fields_of(browser.get("/jobs/new?preset=small-vgg-plain").text)
    values |= {"/optimizer/learning_rate": "1e-3", "/dataset/name": "digits", "action": "check"}
    values |= {"/dataset/train": "", "/dataset/validation": "", "/dataset/test": ""}
    page = sent(browser, "/jobs/new", values).text
    assert "valid" in page
    assert "<code>optimizer.learning_rate</code>" in page
    answers = [browser.post("/jobs/new", data={**values, "action": "submit"}) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    job = service.job(answers[0].headers["location"].removeprefix("/jobs/"))
    assert job["spec"]["optimizer"]["learning_rate"] == 1e-3
    assert job["name"] == "small-vgg-plain"


def test_every_fault_is_shown_at_its_field_and_nothing_is_lost(
    service: Service, browser: httpx.Client
) -> None:
    values = fields_of(browser.get("/jobs/new").text)
    values |= {"/optimizer/learning_rate": "nan", "/training/epochs": "-3", "/name": "kept"}
    values |= {"/dataset/train": "many", "action": "submit"}
    response = sent(browser, "/jobs/new", values)
    for pointer in ("-optimizer-learning_rate", "-training-epochs", "-dataset-train"):
        control = re.search(f'<input id="f{pointer}"[^>]*>', response.text)
        assert control
        assert 'aria-invalid="true"' in control[0]
        assert f'href="#f{pointer}"' in response.text
    typed = fields_of(response.text)
    for name in ("/name", "/optimizer/learning_rate", "/training/epochs", "/dataset/train"):
        assert typed[name] == values[name]
    assert service.rows()["jobs"] == 0


@pytest.mark.parametrize("text", ["{", "[1]", '"x"'])
def test_the_rest_must_be_an_object(browser: httpx.Client, text: str) -> None:
    values = {**fields_of(browser.get("/jobs/new").text), "/others": text, "action": "submit"}
    response = sent(browser, "/jobs/new", values)
    assert "1 fault" in response.text
    assert fields_of(response.text)["/others"] == text


def test_another_method_brings_its_own_parameters(browser: httpx.Client) -> None:
    values = fields_of(browser.get("/jobs/new").text)
    values |= {"/optimizer/name": "adam", "/architecture/hidden_units": "[8]", "action": "update"}
    typed = fields_of(sent(browser, "/jobs/new", values).text)
    assert "/optimizer/beta1" in typed
    assert "/optimizer/momentum" not in typed
    assert typed["/architecture/hidden_units"] == "[8]"
    values = {**typed, "/architecture/name": "vgg_small", "action": "update"}
    typed = fields_of(sent(browser, "/jobs/new", values).text)
    assert typed["/architecture/hidden_units"] == ""


def test_a_fork_submits_only_what_was_changed(service: Service, browser: httpx.Client) -> None:
    origin = service.submit(name="origin", regularizers={"l2": 0.01}, tags={"a": "b"})
    values = fields_of(browser.get(f"/jobs/{origin}/fork").text)
    values |= {"/optimizer/learning_rate": "0.5", "/name": "fork", "action": "submit"}
    response = browser.post(f"/jobs/{origin}/fork", data=values)
    assert response.status_code == 303, response.text
    job = service.job(response.headers["location"].removeprefix("/jobs/"))
    expected: dict[str, Any] = json.loads(json.dumps(service.job(origin)["spec"]))
    expected["name"], expected["optimizer"]["learning_rate"] = "fork", 0.5
    assert job["spec"] == expected
    assert job["forked_from"] == origin


def test_an_unknown_preset_or_job_is_a_page(browser: httpx.Client) -> None:
    assert browser.get("/jobs/new?preset=unknown").status_code == 404
    assert browser.get("/jobs/job_unknown/fork").status_code == 404


def test_a_parameter_of_a_default_method_needs_no_name(
    service: Service, browser: httpx.Client
) -> None:
    values = {
        "/dataset/name": "digits",
        "/architecture/name": "mlp",
        "once": "a",
        "action": "submit",
    }
    values |= {"/optimizer/learning_rate": "0.5", "/optimizer/schedule/warmup": "3"}
    response = browser.post("/jobs/new", data=values)
    assert response.status_code == 303, response.text
    job = service.job(response.headers["location"].removeprefix("/jobs/"))
    assert job["spec"]["optimizer"]["name"] == "sgd"
    assert job["spec"]["optimizer"]["schedule"] == {"name": "constant", "warmup": 3}


def test_a_fork_lists_only_what_a_person_changed(service: Service, browser: httpx.Client) -> None:
    job = service.submit()
    values = fields_of(browser.get(f"/jobs/{job}/fork").text)
    values |= {"/optimizer/learning_rate": "0.5", "action": "check"}
    page = sent(browser, f"/jobs/{job}/fork", values).text
    changes = page.partition('<ul class="changes">')[2].partition("</ul>")[0]
    assert re.findall("<code>([^<]*)</code>", changes) == ["optimizer.learning_rate"]
