"""The page at `/`."""

import base64
import hashlib
import re

import pytest

from api.presets.presets import presets
from tests.api.service import Service

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Authorization": ""}


def test_a_browser_without_a_key_gets_a_page_that_says_where_to_go(service: Service) -> None:
    response = service.client.get("/", headers=BROWSER)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    for text in ('href="/docs"', "TRAINSHED_HOME/key", "trainshed submit"):
        assert text in response.text
    assert str(service.client.base_url).rstrip("/") in response.text
    [preset] = re.findall(r"--preset (\S+)", response.text)
    assert preset in presets()


def test_a_program_gets_the_same_links_as_json(service: Service) -> None:
    body = service.client.get("/", headers={"Accept": "application/json"}).json()
    assert body["links"]["docs"] == "/docs"


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_only_the_page_that_is_also_json_varies_with_what_is_accepted(
    service: Service, path: str
) -> None:
    varies = [
        "Accept" in service.client.get(path, headers={"Accept": accepted}).headers.get("vary", "")
        for accepted in ("text/html", "application/json")
    ]
    assert varies == [path == "/"] * 2


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_allow_their_own_style_and_nothing_else(service: Service, path: str) -> None:
    response = service.client.get(path, headers=BROWSER)
    policy = response.headers["content-security-policy"]
    [style] = re.findall("<style>(.*?)</style>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script| style=|\son\w+=", response.text)


def test_examples_have_the_address_that_the_page_was_loaded_from(service: Service) -> None:
    headers = {**BROWSER, "Host": "localhost:1234"}
    assert (
        "http://localhost:1234/v1/jobs</pre>" in service.client.get("/docs", headers=headers).text
    )


def test_parameters_have_the_descriptions_of_the_catalogue(service: Service) -> None:
    page = service.client.get("/docs", headers=BROWSER).text
    assert "fraction of the running mean of the gradient that an update keeps" in page
