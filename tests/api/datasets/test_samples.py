"""`GET /v1/datasets/{name}/samples`, and previews of uploads: pictures that people look at."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shared import uploaded_datasets
from tests.api.datasets.uploads import upload
from tests.api.service import Service
from tests.worker.data.uploads.archives import encoded, png, zipped
from worker.sidecar.operations import respond
from worker.sidecar.operations.samples import NAMES_WIDTH, SIZE
from worker.sidecar.sheet import GAP

RED, BLUE = (220, 30, 20), (20, 30, 220)


@pytest.fixture(autouse=True)
def _sidecar(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINSHED_HOME", str(service.settings.home))
    service.sidecar.respond = respond


def _colours(tmp_path: Path, *, each: int = 5) -> bytes:
    files = {
        f"{name}/{index}.{kind.lower()}": encoded(Image.new("RGB", (300, 200), colour), kind)
        for name, colour in (("blue", BLUE), ("红", RED))
        for index, kind in zip(range(each), ("PNG", "JPEG") * each, strict=False)
    }
    return zipped(tmp_path / "colours.zip", files).read_bytes()


def _sheet(service: Service, name: str, **query: int) -> np.ndarray:
    response = service.client.get(f"/v1/datasets/{name}/samples", params=query)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/png"
    return np.asarray(Image.open(io.BytesIO(response.content)))


def _tile(sheet: np.ndarray, row: int, column: int, size: int = SIZE) -> np.ndarray:
    """Return the colour in the middle of an image."""
    step = size + GAP
    top, left = GAP + row * step, NAMES_WIDTH + GAP + column * step
    return sheet[top + size // 2, left + size // 2]


def test_each_class_has_a_row_of_its_images(service: Service, tmp_path: Path) -> None:
    upload(service, _colours(tmp_path), "colours")
    sheet = _sheet(service, "colours", per_class=3)
    assert sheet.shape == (2 * (SIZE + GAP) + GAP, NAMES_WIDTH + 3 * (SIZE + GAP) + GAP, 3)
    for column in range(3):
        assert np.abs(_tile(sheet, 0, column).astype(int) - BLUE).max() < 8
        assert np.abs(_tile(sheet, 1, column).astype(int) - RED).max() < 8
    assert (sheet[:, :NAMES_WIDTH] < 128).any(), "the names of the classes stand on the left"
    later = _sheet(service, "colours@1", first_class=1, classes=1, per_class=16)
    assert later.shape == (SIZE + 2 * GAP, NAMES_WIDTH + 5 * (SIZE + GAP) + GAP, 3)
    assert np.abs(_tile(later, 0, 4).astype(int) - RED).max() < 8


def test_built_in_sets_have_a_sheet(service: Service) -> None:
    assert _sheet(service, "digits", per_class=2).shape[0] == 10 * (SIZE + GAP) + GAP
    assert _sheet(service, "synthetic", per_class=1).shape[0] == 10 * (SIZE + GAP) + GAP


@pytest.mark.parametrize(
    ("name", "query", "status", "detail"),
    [
        ("roses", {}, 404, "no data set"),
        ("table", {}, 409, "is a table"),
        ("cifar10", {}, 409, "not on this box"),
        ("digits", {"first_class": 10}, 422, "less than 10"),
        ("digits", {"per_class": 17}, 422, ""),
        ("digits", {"per_clas": 1}, 422, "per_class"),
    ],
)
def test_other_requests_are_refused(
    service: Service, name: str, query: Any, status: int, detail: str
) -> None:
    response = service.client.get(f"/v1/datasets/{name}/samples", params=query)
    assert response.status_code == status, response.text
    assert detail in response.text


def test_upload_that_is_not_ready_or_gone_has_no_sheet(service: Service, tmp_path: Path) -> None:
    upload(service, b"nothing that is read")
    refused = service.client.get("/v1/datasets/flowers/samples")
    assert refused.status_code == 409
    assert "flowers@1 is rejected" in refused.json()["detail"]
    upload(service, _colours(tmp_path))
    uploaded_datasets.file(service.settings.home, "flowers@2").unlink()
    gone = service.client.get("/v1/datasets/flowers/samples")
    assert gone.status_code == 422
    assert "was deleted" in gone.text
    assert str(service.settings.home) not in gone.text


def test_rejected_files_are_not_shown(service: Service, tmp_path: Path) -> None:
    files = {f"{name}/{n}.png": png(n) for name in ("a", "b") for n in range(4)}
    files["a/0.png"] = b"no picture"
    content = zipped(tmp_path / "a.zip", files).read_bytes()
    assert upload(service, content, skip_bad="true")["state"] == "ready"
    assert _sheet(service, "flowers", per_class=4).shape[0] == 2 * (SIZE + GAP) + GAP


def test_augmentation_of_an_upload_is_previewed(service: Service, tmp_path: Path) -> None:
    upload(service, _colours(tmp_path), "colours")
    body = {"dataset": "colours", "augmentation": {"horizontal_flip": True}, "count": 2}
    response = service.post("/v1/augmentation/preview", body)
    assert response.status_code == 200, response.text
    picture = Image.open(io.BytesIO(response.content))
    assert picture.size == (3 * GAP + 2 * 200, 3 * GAP + 2 * 200)
    missing = service.post("/v1/augmentation/preview", {"dataset": "colour"})
    assert missing.status_code == 422
