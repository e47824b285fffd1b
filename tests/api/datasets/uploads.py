"""Uploads that a worker's checker checks, and jobs' data of them."""

from pathlib import Path
from typing import Any

from tests.api.service import Service
from worker.checker.check import check_dataset
from worker.data import load_splits


def upload(service: Service, content: bytes, name: str = "flowers", **query: str) -> dict[str, Any]:
    """Upload a data set and check it, as a worker does; return the version."""
    response = service.client.post(
        "/v1/datasets",
        params={"name": name, **query},
        content=content,
        headers={"Content-Type": "application/octet-stream"},
    )
    assert response.status_code == 202, response.text
    check_dataset(response.json()["id"], service.settings, service.database)
    return service.client.get(response.headers["location"]).json()


def load(home: Path, dataset: dict[str, Any], *, is_number: bool = False) -> Any:
    """Return the data set of a filled specification and its splits, as a job loads them."""
    directories = {"data_dir": home / "data", "cache_dir": home / "cache"}
    return load_splits(dataset, seed=0, is_number=is_number, **directories)
