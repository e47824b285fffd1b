"""A folder of pictures on any kind of box: added, trained, predicted, exported and deleted."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from tests.e2e.conftest import ROOT, TIMEOUT_SECONDS
from trainshed import Client
from worker.data.uploads import prepare

MODES = ("RGB", "L", "RGBA", "P", "CMYK", "LA")
#: Two classes differ by orientation only.
CLASSES = ("along", "Über quer", "花")
SIZE = 32
SPEC: dict[str, Any] = {
    "dataset": {"name": "stripes", "image_size": SIZE, "channels": 1},
    "architecture": {"name": "vgg_small", "widths": [8, 16], "hidden_units": [32]},
    "optimizer": {"name": "adam", "learning_rate": 0.003},
    "training": {"epochs": 12, "batch_size": 16},
}


@dataclass(frozen=True)
class CommandLine:
    """The command line with the settings of one box."""

    environment: Mapping[str, str]

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "trainshed", *map(str, arguments)],
            cwd=ROOT,
            env={**self.environment, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )

    def json(self, *arguments: str | Path) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)


def picture(label: int, seed: int) -> Image.Image:
    """Return stripes along or across, or a plain gradient, in any colour and shape."""
    random = np.random.default_rng([label, seed])
    height, width = random.integers(40, 90, 2)
    down, across = np.mgrid[:height, :width] / min(height, width)
    place = (down, across, (down + across) / 20)[label]
    waves = np.sin(2 * np.pi * (random.uniform(4, 6) * place + random.uniform()))
    ink, paper = random.uniform(0, 90, 3), random.uniform(160, 255, 3)
    pixels = (
        paper + (waves[..., None] > 0) * (ink - paper) + random.normal(0, 8, (height, width, 1))
    )
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def save(folder: Path, label: int, seed: int) -> Path:
    """Write a picture as PNG or JPEG, in one of several modes; some are turned by Exif data."""
    image, mode = picture(label, seed), MODES[seed % len(MODES)]
    is_jpeg = mode == "CMYK" or (seed % 2 == 1 and mode in {"RGB", "L"})
    path = folder / f"{seed}.{'jpg' if is_jpeg else 'png'}"
    options: dict[str, Any] = {}
    if is_jpeg and seed % 3 == 1:
        exif = Image.Exif()
        exif[0x0112] = 6  # the camera was turned: to be shown a quarter turn clockwise
        image, options = image.transpose(Image.Transpose.ROTATE_90), {"exif": exif}
    image.convert(mode).save(path, **options)
    return path


def check_pictures(commands: CommandLine, client: Client, home: Path, tmp_path: Path) -> None:
    """Add a folder, train on it, predict by the command line and by ONNX, and delete it."""
    folder = tmp_path / "pictures"
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for seed in range(60):
            save(folder / name, label, seed)
    added = commands.json("datasets", "add", "stripes", folder)
    assert (added["state"], added["images"], added["channels"]) == ("ready", 180, 3)
    assert {found["name"]: found["images"] for found in added["classes"]} == dict.fromkeys(
        CLASSES, 60
    )
    sheet = tmp_path / "sheet.png"
    assert commands.run("datasets", "show", "stripes", "--samples", sheet).returncode == 0
    with Image.open(sheet) as image:
        assert image.height > 3 * 64
    job = client.submit(SPEC)
    assert job["spec"]["dataset"]["name"] == "stripes@1"
    ended = client.wait(job["id"], timeout_seconds=TIMEOUT_SECONDS)
    assert ended["state"] == "succeeded", ended["failure"]
    assert ended["metrics"]["test_accuracy"] > 0.95
    _check_predictions(commands, job["id"], tmp_path)
    _check_predictions_of_the_data_set(commands, client, ended, tmp_path)
    _check_pictures_of_results(commands, client, job["id"], tmp_path)
    assert [*(home / "cache").glob("stripes@1-*.npy")]
    deleted = commands.json("datasets", "delete", "stripes")
    assert deleted["freed_bytes"] > added["bytes"], "the decoded images are freed as well"
    assert not [*(home / "data" / "uploads").iterdir()]
    assert not [*(home / "cache").glob("stripes@1-*.npy")]
    assert commands.run("datasets", "show", "stripes").returncode == 4


def _check_predictions(commands: CommandLine, job_id: str, tmp_path: Path) -> None:
    """Compare the command line's predictions of new pictures with the ONNX file's."""
    new = tmp_path / "new"
    new.mkdir()
    files = [save(new, label, 100 + 3 * seed + label) for seed in range(4) for label in range(3)]
    predicted = commands.json("predict", job_id, *files)
    first = [each["top_k"][0]["class"] for each in predicted]
    assert sum(a == b for a, b in zip(first, CLASSES * 4, strict=True)) >= 11
    model = tmp_path / "model.onnx"
    assert commands.run("export", job_id, "--output", model).returncode == 0
    session = onnxruntime.InferenceSession(model)
    names = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])
    images_NCHW = np.stack(
        [prepare(file.read_bytes(), image_size=SIZE, channels=1) for file in files]
    )
    (probabilities_NM,) = session.run(["probabilities"], {"images": images_NCHW})
    for each, probabilities_M in zip(predicted, np.asarray(probabilities_NM), strict=True):
        order = np.argsort(-probabilities_M)[: len(each["top_k"])]
        assert [found["class"] for found in each["top_k"]] == [names[index] for index in order]
        expected = [found["probability"] for found in each["top_k"]]
        assert probabilities_M[order] == pytest.approx(expected, abs=1e-4)


def _check_predictions_of_the_data_set(
    commands: CommandLine, client: Client, job: dict[str, Any], tmp_path: Path
) -> None:
    """Predict the test split into an artifact; it says what the job's evaluation says."""
    options = ("--dataset", "stripes", "--split", "test", "--output", tmp_path)
    written = commands.json("predict", job["id"], *options)
    text = Path(written["path"]).read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == job["spec"]["dataset"]["test"]
    assert {row["name"].partition("/")[0] for row in rows} == set(CLASSES)
    assert all(row["label"] == row["name"].partition("/")[0] for row in rows)
    right = [row["label"] == row["class_1"] for row in rows]
    assert sum(right) / len(rows) == pytest.approx(job["metrics"]["test_accuracy"])
    assert written["artifact"]["id"] in {each["id"] for each in client.artifacts(job["id"])}


def _check_pictures_of_results(
    commands: CommandLine, client: Client, job_id: str, tmp_path: Path
) -> None:
    """Draw a test sample, the sheet of mistakes and the sheet of a cell."""
    first = client.top_k(job_id)["samples"]["data"][0]
    sample = Image.open(io.BytesIO(client.sample_picture(job_id, first["sample"])))
    assert sample.width == sample.height
    assert sample.width % SIZE == 0
    extremes = cast("tuple[int, int]", sample.convert("L").getextrema())
    assert extremes[1] - extremes[0] > 50, "stripes are not plain"
    for number, arguments in enumerate(
        (("top-k", job_id), ("confusion", job_id, "--cell", CLASSES[2], CLASSES[2]))
    ):
        sheet = tmp_path / f"results-{number}.png"
        done = commands.run(*arguments, "--sheet", sheet)
        assert done.returncode == 0, done.stderr
        with Image.open(sheet) as image:
            assert image.width > SIZE
