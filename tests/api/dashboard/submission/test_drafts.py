"""What was typed into the form is a part of its address."""

import random
import string
import zlib
from base64 import urlsafe_b64encode

import httpx
import pytest

from api.dashboard.submission.draft import read_draft, write_draft
from shared.errors import BadRequest, LimitReached
from tests.api.service import Service

FORM = {
    "/name": "kept & <safe> ü",
    "/dataset/name": "digits",
    "/architecture/name": "mlp",
    "once": "a1",
}


def _random_text(length: int) -> str:
    draw = random.Random(7)
    return "".join(draw.choice(string.printable) for _ in range(length))


def test_a_draft_is_what_was_typed_without_empty_fields() -> None:
    text = write_draft({**FORM, "/seed": " "})
    assert text is not None
    assert text.replace("-", "").replace("_", "").isalnum()
    assert read_draft(text) == FORM


@pytest.mark.parametrize("length", [1, 10, 200])
def test_a_draft_that_was_cut_off_or_changed_is_refused(length: int) -> None:
    text = write_draft(FORM) or ""
    with pytest.raises(BadRequest, match="address of this form is damaged"):
        read_draft(text[:-length])
    with pytest.raises(BadRequest):
        read_draft("ä" + text)


@pytest.mark.parametrize("content", [b"[1]", b'"x"', b"\xff", b'{"a":' + b" " * 2_000_000 + b"1}"])
def test_a_draft_is_an_object_of_limited_size(content: bytes) -> None:
    with pytest.raises(BadRequest):
        read_draft(urlsafe_b64encode(zlib.compress(content)).decode())


def test_a_damaged_draft_is_a_page_that_says_what_to_do(browser: httpx.Client) -> None:
    response = browser.get("/jobs/new?draft=abc")
    assert response.status_code == 400
    assert "Copy the whole address" in response.text


def test_a_form_that_is_too_long_for_an_address_is_answered_directly(
    browser: httpx.Client,
) -> None:
    text = _random_text(9_000)
    response = browser.post("/jobs/new", data={**FORM, "/others": text, "action": "check"})
    assert response.status_code == 200
    assert "is not JSON" in response.text
    assert "kept &amp; &lt;safe&gt; ü" in response.text


def test_a_refusal_is_the_form_with_the_reason_and_every_value(
    service: Service, browser: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise LimitReached("3 jobs of admin wait; at most 3 may.", retry_after_seconds=60)

    monkeypatch.setattr(service.app.state.services.limits, "for_job", refuse)
    response = browser.post("/jobs/new", data={**FORM, "action": "submit"})
    assert response.status_code == 429
    assert "3 jobs of admin wait; at most 3 may." in response.text
    assert "kept &amp; &lt;safe&gt; ü" in response.text
    assert 'name="once" value="a1"' in response.text


def test_another_specification_from_the_same_form_is_another_job(
    service: Service, browser: httpx.Client
) -> None:
    """After a submission the browser's «back» shows the form again."""
    jobs = [
        browser.post("/jobs/new", data={**FORM, "action": "submit", **change})
        for change in ({}, {}, {"/seed": "3"})
    ]
    assert [each.status_code for each in jobs] == [303] * 3
    first, again, other = (each.headers["location"] for each in jobs)
    assert first == again != other
    assert service.job(other.removeprefix("/jobs/"))["spec"]["seed"] == 3


def test_a_fork_without_a_name_gets_the_name_that_the_form_shows(
    service: Service, browser: httpx.Client
) -> None:
    origin = service.submit(name="mlp")
    for expected in ("mlp-fork", "mlp-fork-2"):
        page = browser.get(f"/jobs/{origin}/fork").text
        assert f'name="/name" value="" placeholder="{expected}"' in page
        data = {
            **FORM,
            "/name": "",
            "/optimizer/learning_rate": "0.5",
            "action": "submit",
            "once": expected,
        }
        response = browser.post(f"/jobs/{origin}/fork", data=data)
        job = service.job(response.headers["location"].removeprefix("/jobs/"))
        assert job["name"] == expected


def test_lines_of_the_rest_stay_as_they_were_typed(browser: httpx.Client) -> None:
    """A browser ends each line with a carriage return too."""
    typed = '{\r\n  "tags": {"a": "b"}\r\n}'
    data = {**FORM, "/others": typed, "/training/epochs": "0", "action": "check"}
    address = browser.post("/jobs/new", data=data).headers["location"]
    page = browser.get(address.partition("#")[0]).text
    assert "1 fault" in page
    assert ">{\n  &#34;tags&#34;: {&#34;a&#34;: &#34;b&#34;}\n}</textarea>" in page
