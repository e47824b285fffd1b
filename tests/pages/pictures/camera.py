"""Takes pictures of pages in Chromium, as PNG with few colors."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

#: A picture ends here, in pixels; longer pages are cut.
MAX_HEIGHT = 1500
COLORS = 96
VIEWPORT_HEIGHT = 800

Action = Callable[[Any], None]


@dataclass(frozen=True)
class Shot:
    """A picture: file name, address, width, colors, and what a person does before it is taken."""

    name: str
    path: str
    width: int = 1280
    scheme: str = "light"
    action: Action | None = None
    has_session: bool = True


@dataclass(frozen=True)
class Camera:
    """Chromium with the key of a box."""

    browser: Any
    base: str
    key: str
    folder: Path

    def take(self, shots: list[Shot]) -> None:
        """Take pictures and write them to the folder.

        Raises:
            RuntimeError: a page is wider than the window.
        """
        for shot in shots:
            with self._page(shot) as page:
                page.goto(self.base + shot.path)
                if shot.action is not None:
                    shot.action(page)
                page.wait_for_load_state("networkidle") if not shot.has_session else None
                _load_pictures(page)
                size = page.evaluate(
                    "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
                )
                if size[0] > shot.width:
                    raise RuntimeError(f"{shot.name}: {size[0]} px wide, window {shot.width} px")
                height = min(MAX_HEIGHT, max(size[1], 1))
                page.set_viewport_size({"width": shot.width, "height": height})
                _save(page.screenshot(), self.folder / f"{shot.name}.png")

    @contextmanager
    def _page(self, shot: Shot) -> Iterator[Any]:
        context = self.browser.new_context(
            viewport={"width": shot.width, "height": VIEWPORT_HEIGHT}, color_scheme=shot.scheme
        )
        context.set_default_timeout(60_000)
        page = context.new_page()
        try:
            if shot.has_session:
                page.goto(f"{self.base}/login")
                page.fill("#key", self.key)
                page.click("button.primary")
                page.wait_for_url(f"{self.base}/")
            yield page
        finally:
            context.close()


def _load_pictures(page: Any) -> None:
    """Wait until the pictures of the page are there, also those below the window."""
    page.evaluate(
        """async () => {
          for (const each of document.images) { each.loading = "eager"; }
          await Promise.all([...document.images].map((each) => each.decode().catch(() => 0)));
        }"""
    )


def _save(content: bytes, path: Path) -> None:
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    few = picture.quantize(COLORS, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
