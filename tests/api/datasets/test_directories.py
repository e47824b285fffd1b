"""Directories of the box as data sets: below TRAINSHED_DATA_ROOTS, read once, never copied."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared import uploaded_datasets
from tests.api.datasets.uploads import load
from tests.api.service import Service
from tests.worker.data.uploads.archives import two_classes
from worker.checker.check import check_dataset
from worker.data import DatasetMissing
from worker.sidecar.operations import respond

SPEC = {"dataset": "pets", "architecture": "mlp"}


@pytest.fixture
def root(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a directory that the setting allows, with two classes of pictures below `pets`."""
    allowed = tmp_path / "data"
    for name, content in two_classes().items():
        path = allowed / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    monkeypatch.setenv("TRAINSHED_HOME", str(service.settings.home))
    service.sidecar.respond = respond
    services = service.app.state.services
    settings = services.settings.model_copy(update={"data_roots": f"/nowhere:{allowed}"})
    object.__setattr__(services, "settings", settings)
    yield allowed
    object.__setattr__(services, "settings", service.settings)


def _register(service: Service, body: Any, **query: str) -> httpx.Response:
    query = {"name": "pets", **query}
    return service.post(f"/v1/datasets?{httpx.QueryParams(query)}", body)


def _ready(service: Service, path: Path) -> dict[str, Any]:
    response = _register(service, {"path": str(path)})
    assert response.status_code == 202, response.text
    check_dataset(response.json()["id"], service.settings, service.database)
    return service.client.get(response.headers["location"]).json()


def _fault(response: httpx.Response) -> str:
    assert response.status_code == 422, response.text
    (fault,) = response.json()["errors"]
    assert fault["pointer"] == "/path"
    return fault["detail"]


def test_directory_is_trained_by_name_and_not_copied(service: Service, root: Path) -> None:
    before = {*uploaded_datasets.directory(service.settings.home).glob("*")}
    dataset = _ready(service, root / "pets")
    assert (dataset["state"], dataset["images"], dataset["bytes"]) == ("ready", 40, 0)
    filled = service.job(service.submit(**SPEC))["spec"]["dataset"]
    assert filled["content_hash"] == dataset["content_hash"]
    loaded, _ = load(service.settings.home, filled)
    assert (loaded.class_names, len(loaded)) == (("cats", "dogs"), 40)
    added = {*uploaded_datasets.directory(service.settings.home).glob("*")} - before
    assert [path.name for path in added] == ["pets@1.facts.json"]
    assert service.client.get("/v1/datasets/pets/samples").status_code == 200
    job = service.client.get("/v1/jobs").json()["data"][0]["id"]
    service.post(f"/v1/jobs/{job}/cancel")
    assert service.client.delete("/v1/datasets/pets").status_code == 200
    assert len([*(root / "pets").glob("*/*.png")]) == 40, "the files of the box stay"


@pytest.mark.parametrize("change", ["content", "added", "removed", "linked", "gone", "moved"])
def test_changed_directory_is_missing_for_a_job(
    service: Service, root: Path, tmp_path: Path, change: str
) -> None:
    _ready(service, root / "pets")
    filled = service.job(service.submit(**SPEC))["spec"]["dataset"]
    picture = root / "pets" / "cats" / "0.png"
    if change == "content":
        picture.write_bytes(picture.read_bytes()[:-1] + b"x")
        os.utime(picture, (1, 1))
    elif change == "added":
        (root / "pets" / "cats" / "new.png").write_bytes(picture.read_bytes())
    elif change == "removed":
        picture.unlink()
    elif change == "linked":
        picture.rename(tmp_path / "elsewhere.png")
        picture.symlink_to(tmp_path / "elsewhere.png")
    elif change == "gone":
        (root / "pets").rename(tmp_path / "pets")
    else:
        (root / "pets").rename(tmp_path / "pets")
        (root / "pets").symlink_to(tmp_path / "pets")
    with pytest.raises(DatasetMissing, match="directory: it") as error:
        load(service.settings.home, filled)
    assert "register the directory again" in error.value.hint


def test_path_outside_of_the_roots_is_refused(service: Service, root: Path, tmp_path: Path) -> None:
    for outside in ("/etc", "/", str(tmp_path), f"{root}/../x", f"{root}x", "/nowhere/../etc"):
        detail = _fault(_register(service, {"path": outside}))
        assert "not below" in detail
        assert "TRAINSHED_DATA_ROOTS" in detail
    (root / "link").symlink_to("/etc")
    assert "a link leads out" in _fault(_register(service, {"path": str(root / "link")}))
    assert "a link leads out" in _fault(_register(service, {"path": f"{root}/link/ssl"}))
    assert "does not exist" in _fault(_register(service, {"path": f"{root}/birds"}))
    file = root / "pets" / "cats" / "0.png"
    assert "no directory" in _fault(_register(service, {"path": str(file)}))
    assert service.client.get("/v1/datasets/pets").status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        ([], 400),
        ({}, 422),
        ({"path": None}, 422),
        ({"path": 5}, 422),
        ({"path": ""}, 422),
        ({"path": "data/pets"}, 422),
        ({"path": "/" + "x" * 5_000}, 422),
        ({"path": "/" + "x" * 300}, 422),
        ({"path": "/pets", "copy": True}, 422),
        ({"path": "/a\0b"}, 400),
        (b'{"path": "' + b"x" * 70_000, 413),
    ],
)
def test_other_bodies_are_refused(service: Service, root: Path, body: Any, status: int) -> None:
    response = _register(service, body)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"


def test_without_the_setting_no_directory_is_registered(service: Service) -> None:
    assert "TRAINSHED_DATA_ROOTS does not allow" in _fault(_register(service, {"path": "/tmp"}))  # noqa: S108


def test_link_inside_of_the_directory_rejects_it(service: Service, root: Path) -> None:
    (root / "pets" / "cats" / "secret.png").symlink_to("/etc/passwd")
    dataset = _ready(service, root / "pets")
    assert dataset["state"] == "rejected"
    assert dataset["rejected"][0]["file"] == "cats/secret.png"
    assert "link or a device" in dataset["rejected"][0]["detail"]


def test_empty_or_unreadable_directory_is_rejected(service: Service, root: Path) -> None:
    (root / "empty").mkdir()
    dataset = _ready(service, root / "empty")
    assert dataset["state"] == "rejected"
    assert dataset["rejected"][0]["detail"]
