"""A page that stays open for a day does not grow."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.service import metric_row
from tests.pages.conftest import Page, Seeded

pytestmark = pytest.mark.long

Open = Callable[..., Page]
#: Changes of the job before the first measurement, and between it and the last.
BEFORE, CHANGES = 300, 3000
#: Far more than a page takes to ask again on a loaded machine.
MOST_IDLE_SECONDS = 40
MOST_GROWTH, MOST_GROWTH_BYTES = 0.10, 1_000_000
#: The script waits between two changes; here it does not.
WITHOUT_WAITING = "const later = setTimeout; window.setTimeout = (act) => later(act, 0);"


def _sizes(page: Any, network: Any) -> dict[str, float]:
    """Return the bytes of the heap and the numbers of nodes and listeners after collections.

    The page changes meanwhile, so each is the least of several.
    """
    found: list[dict[str, float]] = []
    for _ in range(8):
        page.wait_for_timeout(50)
        network.send("HeapProfiler.collectGarbage")
        metrics = network.send("Performance.getMetrics")["metrics"]
        found.append({each["name"]: each["value"] for each in metrics})
    names = ("JSHeapUsedSize", "Nodes", "JSEventListeners")
    return {name: min(values[name] for values in found) for name in names}


def test_thousands_of_changes_leave_heap_nodes_and_listeners_as_they_are(
    seeded: Seeded, open_page: Open
) -> None:
    page, service = open_page(), seeded.service
    lease = service.start_job(name="all day", priority="high")
    for epoch in range(1, 41):
        names = ("val_loss", "train_loss", "val_accuracy", "learning_rate", "gradient_norm")
        rows = [metric_row(name, 10 * epoch, epoch / 50, epoch=epoch) for name in names]
        service.record(lease, metrics=rows)
    path = f"/jobs/{lease.job_id}"
    html = page.page.request.get(page.base + path).text()
    texts = [html, html.replace(",4", ",5").replace("all day", "all night")]
    assert texts[0].count('class="chart"') >= 4
    assert texts[0] != texts[1]
    count = itertools.count(1)

    def change(route: Any) -> None:
        headers = {"Content-Type": "application/json", "ETag": f'"{next(count)}"'}
        route.fulfill(status=200, headers=headers, body="{}")

    def page_again(route: Any) -> None:
        route.fulfill(status=200, content_type="text/html", body=texts[next(count) // 2 % 2])

    page.page.add_init_script(WITHOUT_WAITING)
    page.page.route("**/v1/jobs/*?wait=*", change)
    page.page.route(f"**{path}", page_again)
    page.open(path)
    network = page.page.context.new_cdp_session(page.page)
    network.send("Performance.enable")

    def wait_for(changes: int) -> dict[str, float]:
        seen, idle_seconds = 0, 0
        while (now := next(count)) < 2 * changes:
            idle_seconds = idle_seconds + 1 if now == seen + 1 else 0
            assert idle_seconds < MOST_IDLE_SECONDS, "the page asks no more"
            seen = now
            page.page.wait_for_timeout(1000)
        return _sizes(page.page, network)

    first, last = wait_for(BEFORE), wait_for(BEFORE + CHANGES)
    service.succeed(lease)
    page.page.context.close()
    grown = {name: last[name] - first[name] for name in first}
    assert grown["JSEventListeners"] <= 0, (first, last)
    assert grown["Nodes"] <= 0.02 * first["Nodes"], (first, last)
    most = max(MOST_GROWTH * first["JSHeapUsedSize"], MOST_GROWTH_BYTES)
    assert grown["JSHeapUsedSize"] <= most, (first, last)
