"""The documentation page."""

import re

from tests.api.service import Service


def test_page_loads_nothing_from_other_hosts(service: Service) -> None:
    page = service.client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    loads = r"<(script|link|img|iframe)|(src|href)=.?(https?:)?//|@import|url\("
    assert not re.search(loads, page.text)
    assert "/v1/jobs/{job_id}/checkpoints" in page.text
