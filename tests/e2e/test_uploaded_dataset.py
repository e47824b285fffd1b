"""A folder of pictures: added from the command line, trained by name, deleted."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.conftest import ROOT, TIMEOUT_SECONDS, EmbeddedBox

pytestmark = pytest.mark.e2e

MODES = ("RGB", "L", "RGBA", "P", "CMYK")
SPEC = {
    "dataset": {"name": "patches", "image_size": 16, "channels": 3},
    "architecture": "mlp",
    "optimizer": {"name": "adam", "learning_rate": 0.003},
    "training": {"epochs": 15, "batch_size": 16},
}


def _command(box: EmbeddedBox, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trainshed", *arguments],
        cwd=ROOT,
        env=box.environment | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def _picture(label: int, index: int) -> Image.Image:
    """Return a picture whose class is the brightness of its halves, in one of several modes."""
    random = np.random.default_rng([label, index])
    height, width = random.integers(20, 60, 2)
    pixels = random.integers(40, 90, (height, width, 3)).astype(np.uint8)
    if label == 0:
        pixels[: height // 2] += 140
    elif label == 1:
        pixels[height // 2 :] += 140
    return Image.fromarray(pixels)


def _make_pictures(folder: Path, *, each: int = 40) -> None:
    for label, name in enumerate(("top", "Über unten", "花")):
        (folder / name).mkdir(parents=True)
        for index in range(each):
            picture = _picture(label, index)
            mode = MODES[index % len(MODES)]
            suffix = "jpg" if mode == "CMYK" or (index % 2 and mode in {"RGB", "L"}) else "png"
            picture.convert(mode).save(folder / name / f"{index}.{suffix}")


def test_folder_of_pictures_is_added_trained_and_deleted(box: EmbeddedBox, tmp_path: Path) -> None:
    _make_pictures(tmp_path / "pictures")
    added = _command(box, "datasets", "add", "patches", str(tmp_path / "pictures"), "--json")
    assert added.returncode == 0, added.stdout + added.stderr
    dataset = json.loads(added.stdout)
    assert (dataset["state"], dataset["version"], dataset["images"]) == ("ready", 1, 120)
    assert {c["name"] for c in dataset["classes"]} == {"top", "Über unten", "花"}
    assert "patches" in _command(box, "datasets", "list").stdout
    with box.client() as client:
        job = client.submit(SPEC)
        assert job["spec"]["dataset"]["name"] == "patches@1"
        assert job["spec"]["dataset"]["content_hash"] == dataset["content_hash"]
        ended = client.wait(job["id"], timeout_seconds=TIMEOUT_SECONDS)
        assert ended["state"] == "succeeded", ended["failure"]
        assert ended["metrics"]["test_accuracy"] > 0.95
        assert [*(box.home / "cache").glob("patches@1-*.npy")]
        deleted = _command(box, "datasets", "delete", "patches", "--json")
        assert json.loads(deleted.stdout)["freed_bytes"] > dataset["bytes"]
        assert not [*(box.home / "data" / "uploads").iterdir()]
        assert not [*(box.home / "cache").glob("patches@1-*.npy")]
        assert _command(box, "datasets", "show", "patches").returncode == 4


def test_damaged_picture_rejects_the_upload_with_its_name(box: EmbeddedBox, tmp_path: Path) -> None:
    _make_pictures(tmp_path / "pictures", each=4)
    (tmp_path / "pictures" / "top" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    added = _command(box, "datasets", "add", "damaged", str(tmp_path / "pictures"))
    assert added.returncode == 2
    assert "top/broken.png" in added.stderr
    added = _command(box, "datasets", "add", "damaged", str(tmp_path / "pictures"), "--skip-bad")
    assert added.returncode == 0, added.stderr
    assert "damaged@2" in added.stdout
    _command(box, "datasets", "delete", "damaged")
