"""Uploads whose check is recorded instead of run, so that a test chooses what it found."""

from pathlib import Path
from typing import Any

import httpx

from shared import uploaded_datasets
from tests.api.service import Service

CONTENT = b"PK\x03\x04 not checked by the API"
HASH = f"sha256:{'5' * 64}"


def files(service: Service) -> list[Path]:
    return sorted(uploaded_datasets.directory(service.settings.home).glob("*"))


def store(service: Service, name: str = "flowers", content: bytes = CONTENT) -> httpx.Response:
    headers = {"Content-Type": "application/zip"}
    return service.client.post(
        "/v1/datasets", params={"name": name}, content=content, headers=headers
    )


def of_class(name: str, images: int, *own: int) -> dict[str, Any]:
    splits = dict(zip(("train", "validation", "test"), own or (None, None, None), strict=True))
    return {"name": name, "images": images, **splits}


def report_of(*classes: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "images",
        "task": "classification",
        "images": sum(found["images"] for found in classes),
        "classes": list(classes),
        "image_sizes": {"min": [20, 20], "median": [40, 32], "max": [90, 90]},
        "channels": 3,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.2, 0.2, 0.2],
        "warnings": [{"rule": "small_class", "detail": "…", "files": []}],
        "rejected": [],
        "content_hash": HASH,
    }


def finish(service: Service, dataset: dict[str, Any], *classes: dict[str, Any]) -> None:
    """Do what the checker does; without classes the upload is rejected."""
    rejected = {"rejected": [{"file": "rose/1.png", "detail": "It is truncated"}]}
    state, report = ("ready", report_of(*classes)) if classes else ("rejected", rejected)
    with service.database.write() as connection:
        assert uploaded_datasets.begin_check(connection, dataset["id"]) is not None
        content_hash = HASH if classes else None
        assert uploaded_datasets.end_check(connection, dataset["id"], state, report, content_hash)


ROSES, TULIPS = of_class("rose", 60), of_class("tulip", 40)
