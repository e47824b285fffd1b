"""Chromium that measures: first paint, transferred bytes, and when a change is visible."""

import shutil
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.measurement import MissingRequirement

#: What a browser needs for a page of one word.
EMPTY = b"<!doctype html><html lang=en><title>empty</title><p>empty</p></html>"
FIRST_PAINT = (
    "performance.getEntriesByType('paint').find((e) => e.name === 'first-contentful-paint')"
)
#: Milliseconds that a measurement waits for anything.
TIMEOUT = 60_000


@dataclass(frozen=True)
class Load:
    """One load of a page in a browser without a cache."""

    paint_ms: float
    kilobytes: float
    requests: int


@dataclass(frozen=True)
class Browser:
    """Chromium, and the session of a person."""

    chromium: Any
    base: str
    cookies: Any

    def load(self, address: str, *, has_session: bool = True) -> Load:
        """Load a page in a new context, so that nothing is cached, and return what it took.

        Raises:
            RuntimeError: the response is an error, or the page is not painted.
        """
        with self.page(has_session=has_session) as page:
            network = page.context.new_cdp_session(page)
            network.send("Network.enable")
            sizes: list[float] = []
            network.on(
                "Network.loadingFinished", lambda each: sizes.append(each["encodedDataLength"])
            )
            response = page.goto(address if "://" in address else self.base + address)
            if not response.ok:
                raise RuntimeError(f"{address} answered with status {response.status}")
            # The pages forbid `eval`, which Playwright's own waiting needs.
            deadline = time.monotonic() + TIMEOUT / 1000
            while (paint := page.evaluate(f"({FIRST_PAINT} || {{}}).startTime")) is None:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{address} was not painted")
                time.sleep(0.02)
            page.wait_for_load_state("load")
            return Load(paint, sum(sizes) / 1000, len(sizes))

    @contextmanager
    def page(self, *, has_session: bool = True) -> Iterator[Any]:
        """Open a page, with the session or without."""
        context = self.chromium.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(TIMEOUT)
        if has_session:
            context.add_cookies(self.cookies)
        try:
            yield context.new_page()
        finally:
            context.close()


@contextmanager
def opened(base: str, key: str) -> Iterator[Browser]:
    """Start Chromium and log in.

    Raises:
        MissingRequirement: Chromium or Playwright is missing.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise MissingRequirement("it needs Chromium (apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where it is used
    except ImportError as error:
        raise MissingRequirement("it needs playwright (the group `dev`)") from error
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        context = chromium.new_context()
        page = context.new_page()
        page.goto(f"{base}/login", timeout=TIMEOUT)
        page.fill("#key", key)
        page.click("button.primary")
        page.wait_for_url(f"{base}/", timeout=TIMEOUT)
        cookies = context.cookies()
        context.close()
        yield Browser(chromium, base, cookies)
        chromium.close()


@contextmanager
def empty_page() -> Iterator[str]:
    """Serve a page of one word and yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(EMPTY)))
            self.end_headers()
            self.wfile.write(EMPTY)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def percentile_95(values: list[float]) -> float:
    """Return the value below which 95 % of the values lie."""
    return statistics.quantiles(values, n=20, method="inclusive")[-1]
