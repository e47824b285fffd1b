"""Uploaded images: from the file to ready compared with Pillow alone, and data outside of the device.

All sides run in this process with the same number of threads.
"""

import os
import tempfile
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.measurement import Measurement, in_turn
from benchmarks.uploads import second_job, through_the_api
from shared.spec import JobSpec
from worker.build import build
from worker.data.job_data import Data
from worker.data.mapped_images import MappedImages
from worker.data.uploads import check, open_upload, read_images
from worker.registry import architectures
from worker.training.experiment import Split, Splits
from worker.training.fit import fit
from worker.training.host_split import HostImages
from worker.training.reports import EpochEnded

IMAGES, WIDTH, HEIGHT, SIZE = 5_000, 500, 375, 224
CLASSES = 10
TRAIN, VALIDATION, SMALL = 2_000, 200, 32
THREADS = len(os.sched_getaffinity(0))


def make_pictures(folder: Path) -> tuple[Path, list[Path]]:
    """Write 5,000 different JPEGs in class folders, and a zip of them; return both."""
    random = np.random.default_rng(0)
    coarse = Image.fromarray(random.integers(0, 256, (150, 150, 3), np.uint8))
    fine = random.integers(-12, 13, (3_000, 3_000, 1))
    scene = np.asarray(coarse.resize((3_000, 3_000), Image.Resampling.BICUBIC)) + fine
    scene = scene.clip(0, 255).astype(np.uint8)
    paths: list[Path] = []
    for index in range(IMAGES):
        top, left = random.integers(0, 3_000 - HEIGHT), random.integers(0, 3_000 - WIDTH)
        path = folder / f"class {index % CLASSES}" / f"{index}.jpg"
        path.parent.mkdir(exist_ok=True)
        picture = Image.fromarray(scene[top : top + HEIGHT, left : left + WIDTH])
        picture.save(path, quality=85)
        paths.append(path)
    archive = folder / "pictures.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in paths:
            packed.write(path, path.relative_to(folder))
    return archive, paths


def checked_per_second(archive: Path) -> float:
    """Return the images a second from the file to its facts."""
    start = time.perf_counter()
    upload = open_upload(archive)
    report = check(upload, skip_bad=False, progress=lambda _: None)
    upload.close()
    assert report.images == IMAGES
    return IMAGES / (time.perf_counter() - start)


def framed_per_second(archive: Path) -> float:
    """Return the images a second from the file to arrays for the cache."""
    start = time.perf_counter()
    upload = open_upload(archive)
    assert not hasattr(upload, "target")
    images = read_images(upload, image_size=SIZE, channels=3)  # type: ignore[arg-type]
    assert sum(map(len, images.content.blocks)) == IMAGES
    upload.close()
    return IMAGES / (time.perf_counter() - start)


def pillow_per_second(paths: list[Path]) -> float:
    """Return the images a second that Pillow decodes and resizes in threads, and nothing else."""

    def decode(path: Path) -> None:
        with Image.open(path) as image:
            np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR))

    start = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(decode, paths, chunksize=1))
    return IMAGES / (time.perf_counter() - start)


def uploads(*, rounds: int = 5) -> Iterator[Measurement]:
    """Compare the check of an upload, and its decoding for the cache, with Pillow alone."""
    with tempfile.TemporaryDirectory() as folder:
        archive, paths = make_pictures(Path(folder))
        name = f"{IMAGES:,} JPEGs of {WIDTH} × {HEIGHT}, {THREADS} threads"
        for what, ours in (
            ("from the file to ready", checked_per_second),
            (f"into the cache, {SIZE} px", framed_per_second),
        ):
            yield in_turn(
                f"{what}, {name}",
                f"images per second / Pillow decoding and resizing to {SIZE} px",
                lambda ours=ours: ours(archive),
                lambda: pillow_per_second(paths),
                target="≥ 0.8",
                unit="images/s",
                rounds=rounds,
            )
        yield second_job(archive, IMAGES)


def trained_per_second(images: np.ndarray, *, is_on_host: bool) -> float:
    """Return the images a second of the second of two epochs of `vgg_small`."""

    def split(first: int, count: int) -> Split:
        indices = np.arange(first, first + count)
        part: torch.Tensor | HostImages = MappedImages(images, indices)
        if not is_on_host:
            part = torch.from_numpy(images[indices])
        return Split(part, torch.arange(count) % CLASSES, torch.arange(count))

    spec = JobSpec.model_validate(
        {
            "dataset": {"name": "any", "normalization": "standardize"},
            "architecture": {"name": "vgg_small", **architectures.get("vgg_small").defaults},
            "optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": False}
            | {"schedule": {"name": "constant", "warmup": 0}},
            "training": {"epochs": 2, "batch_size": 32},
            "metrics": {"top_k": [1, 5]},
        }
    )
    parts = (split(0, TRAIN), split(TRAIN, VALIDATION), split(TRAIN, VALIDATION))
    experiment = build(spec, Data(tuple("0123456789"), Splits(*parts)))
    epochs = [report for report in fit(experiment) if isinstance(report, EpochEnded)]
    return epochs[-1].metrics["images_per_second"]


def residency(*, rounds: int = 7) -> Measurement:
    """Compare training on a mapped file with training on images in memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        shape = (TRAIN + VALIDATION, 3, SMALL, SMALL)
        np.save(path, np.random.default_rng(0).integers(0, 256, shape, np.uint8))
        mapped = np.load(path, mmap_mode="r")
        return in_turn(
            f"vgg_small on images outside of the device, {torch.get_num_threads()} threads",
            "images per second / images on the device",
            lambda: trained_per_second(mapped, is_on_host=True),
            lambda: trained_per_second(mapped, is_on_host=False),
            target="≥ 0.9",
            unit="images/s",
            rounds=rounds,
        )


def measure() -> Iterator[Measurement]:
    """Yield all measurements of uploaded images."""
    yield from through_the_api()
    yield from uploads()
    yield residency()
