"""Pictures of samples: their pixels, their captions, and data sets that are gone."""

import base64
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFont

from shared import uploaded_datasets
from worker import data as datasets
from worker.data.dataset import Dataset
from worker.data.uploaded import state_of, write_facts
from worker.data.uploads import check, open_upload
from worker.sidecar import captioned_sheet
from worker.sidecar.captioned_sheet import GAP, LINE_HEIGHT, MIN_TILE_SIDE, sheet_of, shown_name
from worker.sidecar.operations import respond

SPLITS = {"train": 20, "validation": 10, "test": 10}
DIGITS = {"name": "digits", "image_size": 8, "channels": 1, **SPLITS}
COLOUR = {"name": "synthetic", "image_size": 48, "channels": 3, **SPLITS}
TOP = GAP + LINE_HEIGHT + GAP // 2


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRAINSHED_HOME", str(tmp_path))
    return tmp_path


def opened(home: Path, spec: dict[str, Any]) -> Dataset:
    return datasets.open_dataset(spec, data_dir=home / "data", cache_dir=home / "cache")


def request(spec: dict[str, Any], *samples: int, **changes: Any) -> dict[str, Any]:
    entries = [{"sample": n, "label": 0, "predicted": 1, "probability": 0.5} for n in samples]
    fields = {"dataset": spec, "content_hash": None, "samples": entries, "title": None}
    return {"operation": "tested_samples", **fields, "classes": ["cat", "dog"], **changes}


def drawn(request: dict[str, Any]) -> Image.Image:
    response = respond(request)
    assert response["ok"], response
    return Image.open(io.BytesIO(base64.b64decode(response["png"])))


def upload(home: Path) -> dict[str, Any]:
    """Upload 6 pictures, half black and half white, in two classes; return a specification."""
    path = uploaded_datasets.file(home, "flowers@1")
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(6):
            pixels = np.zeros((20, 20, 3), np.uint8)
            pixels[: 10 + number] = 255
            content = io.BytesIO()
            Image.fromarray(pixels).save(content, "PNG")
            archive.writestr(f"{'ab'[number % 2]}/{number}.png", content.getvalue())
    opened_upload = open_upload(path)
    report = check(opened_upload, skip_bad=False, progress=lambda _: None)
    opened_upload.close()
    facts = {**report.as_json(), "content_hash": "sha256:1"}
    write_facts(home, "flowers@1", facts, state_of(path))
    fields = {"content_hash": "sha256:1", "resize": "crop", "image_size": 20, "channels": 3}
    return {"name": "flowers@1", **fields, **SPLITS}


@pytest.mark.parametrize(("spec", "factor"), [(DIGITS, 28), (COLOUR, 5)])
def test_picture_has_the_pixels_of_the_job_s_sample_enlarged_without_smoothing(
    home: Path, spec: dict[str, Any], factor: int
) -> None:
    picture = np.asarray(drawn(request(spec, 7)))
    image_CHW = opened(home, spec).images[7]
    expected = image_CHW.repeat(factor, 1).repeat(factor, 2).transpose(1, 2, 0)
    assert np.array_equal(picture if picture.ndim == 3 else picture[..., None], expected)


def test_large_picture_keeps_its_size(home: Path) -> None:
    assert drawn(request({**COLOUR, "image_size": 300}, 0)).size == (300, 300)


def test_picture_of_an_upload_is_its_sample(home: Path) -> None:
    spec = upload(home)
    for sample in range(6):
        picture = np.asarray(drawn(request(spec, sample)))
        assert np.array_equal(
            picture[::12, ::12], opened(home, spec).images[sample].transpose(1, 2, 0)
        )


def test_sheet_shows_the_samples_in_order(home: Path) -> None:
    pixels = np.asarray(drawn(request(DIGITS, 3, 1, 2, title="Mistakes")))
    images = opened(home, DIGITS).images
    for column, sample in enumerate((3, 1, 2)):
        left = GAP + column * (MIN_TILE_SIDE + GAP)
        tile = pixels[TOP : TOP + MIN_TILE_SIDE : 16, left : left + MIN_TILE_SIDE : 16, 0]
        assert np.array_equal(tile, images[sample, 0])
    captions = pixels[TOP + MIN_TILE_SIDE :]
    assert (captions < 128).any(), "there is text below the pictures"


def test_sheet_without_samples_is_its_title(home: Path) -> None:
    assert drawn(request(DIGITS, title="0 of 0")).height == TOP + GAP


def test_hundred_large_pictures_are_reduced() -> None:
    image_CHW = np.zeros((3, 1024, 1024), np.uint8)
    png = sheet_of([image_CHW] * 100, [("#1", "cat", "dog")] * 100, "Mistakes")
    width, height = Image.open(io.BytesIO(png)).size
    assert width * height < 13e6


@pytest.mark.parametrize("change", ["hash", "sample", "deleted", "replaced"])
def test_data_set_that_is_gone_or_has_changed_is_named(home: Path, change: str) -> None:
    spec = upload(home)
    assert respond(request(spec, 0))["ok"]
    asked = request(spec, 0)
    if change == "hash":
        asked = request(DIGITS, 0, content_hash="sha256:other")
    elif change == "sample":
        asked = request(DIGITS, 5_000)
    elif change == "deleted":
        uploaded_datasets.file(home, "flowers@1").unlink()
    else:
        uploaded_datasets.file(home, "flowers@1").write_bytes(b"another file")
    [found] = respond(asked)["faults"]
    assert found["pointer"] == "/dataset/name"
    assert {"deleted": "it was deleted"}.get(change, "has changed") in found["detail"]


class TestNames:
    HOSTILE = (
        "a\nb",
        "\x1b[31mred",
        "\u202eevil",
        "\0",
        "",
        "  ",
        "x" * 10_000,
        "<b>&amp;",
        "\ud800",
    )

    @pytest.mark.parametrize("name", HOSTILE)
    def test_hostile_names_are_drawn_inert(self, name: str) -> None:
        text = shown_name(name, 3)
        assert text.isprintable()
        png = sheet_of([np.zeros((1, 8, 8), np.uint8)], [("#1", text, text)], "Mistakes")
        assert Image.open(io.BytesIO(png)).width < 200 + 2 * MIN_TILE_SIDE

    def test_letters_that_the_font_lacks_become_the_number_of_the_class(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own = ImageFont.load_default(captioned_sheet.FONT_SIZE)
        monkeypatch.setattr(captioned_sheet, "_font", lambda: own)
        captioned_sheet._has.cache_clear()
        try:
            assert shown_name("Ankle boot", 9) == "Ankle boot"
            assert shown_name("Übergröße", 4) == "class 4"
            assert shown_name("Café", 4) == "Cafe"
            assert shown_name("花", 2) == "class 2"
        finally:
            captioned_sheet._has.cache_clear()
