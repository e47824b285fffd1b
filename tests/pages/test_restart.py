"""The API ends and starts again while a page is open."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from api.app import create_app
from api.http.server import options
from shared.database import Database
from shared.jobs.recording import Batch, record
from shared.settings import Settings
from tests.api.service import KEY, SPEC, metric_row
from tests.databases import make_tables
from tests.e2e.conftest import free_port
from tests.fakes.sidecar import FakeSidecar
from tests.shared.claiming import claim

pytestmark = pytest.mark.long

#: How long the API is away.
AWAY_SECONDS = 5


@contextmanager
def _api(settings: Settings) -> Iterator[None]:
    """Serve the API in a thread; ending it ends its connections."""
    server = uvicorn.Server(uvicorn.Config(create_app(settings), **options(settings)))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    try:
        yield
    finally:
        server.should_exit = server.force_exit = True
        thread.join(20)


def _record(database: Database, lease: Any, epochs: range) -> None:
    rows = [metric_row("val_loss", 10 * each, 1 / each, epoch=each) for each in epochs]
    with database.write() as connection:
        record(connection, lease, Batch(metrics=rows))


def _curve(html: str) -> str:
    return re.findall(r'class="line validation" d="([^"]+)"', html)[0]


def test_an_open_page_shows_everything_once_after_the_api_was_away(
    tmp_path: Path, chromium: Any
) -> None:
    settings = Settings(
        home=tmp_path,
        port=free_port(),
        broker_url="redis://127.0.0.1:1/0",
        admin_key=KEY,  # pyright: ignore[reportArgumentType]
    )
    settings.make_directories()
    database = Database(settings.database, pool_size=2)
    make_tables(database)
    sidecar = FakeSidecar(settings.sidecar)
    threading.Thread(target=sidecar.serve_forever, args=(0.02,), daemon=True).start()
    base = f"http://127.0.0.1:{settings.port}"
    context = chromium.new_context()
    context.set_default_timeout(60_000)
    page = context.new_page()
    try:
        with _api(settings):
            job = httpx.post(
                f"{base}/v1/jobs", json=SPEC, headers={"Authorization": f"Bearer {KEY}"}
            ).json()["id"]
            with database.write() as connection:
                claimed = claim(connection)
            assert claimed is not None
            _record(database, claimed.lease, range(1, 11))
            page.goto(f"{base}/login")
            page.fill("#key", KEY)
            page.click("button.primary")
            page.wait_for_url(f"{base}/")
            page.goto(f"{base}/jobs/{job}")
            page.wait_for_selector("text=● live")
        page.wait_for_selector("text=◐ no updates since")
        assert page.locator("h1").is_visible(), "the page stays readable"
        _record(database, claimed.lease, range(11, 31))
        time.sleep(AWAY_SECONDS)
        with _api(settings):
            page.wait_for_selector("text=● live")
            whole = _curve(page.request.get(f"{base}/jobs/{job}").text())
            assert whole.count(",") == 30
            page.wait_for_selector(f'path.line.validation[d="{whole}"]', state="attached")
    finally:
        context.close()
        sidecar.shutdown()
        sidecar.socket.close()
        database.close()
