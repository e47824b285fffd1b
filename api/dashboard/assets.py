"""Our own style sheet, script and icon, and the libraries that set-up has installed.

An address contains the digest of the file, so that a browser can keep the file for ever.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response, Security

from api.deps import without_key
from shared.errors import NotFound

STATIC = Path(__file__).parent / "static"
#: Third-party files, which `scripts/assets` installs; the pages work without them.
VENDOR = Path(__file__).parent / "vendor"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOR_EVER = "public, max-age=31536000, immutable"

router = APIRouter()


@dataclass(frozen=True)
class Asset:
    """A file as it is served."""

    name: str
    media_type: str
    content: bytes
    compressed: bytes
    digest: str


@cache
def files() -> dict[str, Asset]:
    """Return every asset by its name."""
    found = [*STATIC.iterdir(), *(VENDOR.iterdir() if VENDOR.is_dir() else ())]
    return {path.name: _read(path) for path in found if path.suffix in MEDIA_TYPES}


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:16]
    compressed = gzip.compress(content, 9, mtime=0)
    return Asset(path.name, MEDIA_TYPES[path.suffix], content, compressed, digest)


def address(name: str) -> str | None:
    """Return the address of an asset; None where it is not installed."""
    asset = files().get(name)
    return None if asset is None else f"/assets/{asset.digest}/{name}"


@router.get(
    "/assets/{digest}/{name}", dependencies=[Security(without_key)], include_in_schema=False
)
async def get_asset(request: Request, digest: str, name: str) -> Response:
    """Return a file of the pages."""
    asset = files().get(name)
    if asset is None or digest != asset.digest:
        raise NotFound("There is no such file of the pages; load the page again.")
    headers = {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(asset.compressed, media_type=asset.media_type, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)
