"""`vgg_small` trained as a job, against a bare PyTorch loop and against Keras's `fit`."""

import json
import statistics
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from benchmarks.boxes import ROOT, Box
from benchmarks.measuring import Figure, in_turn

IMAGES = 5000
#: A job evaluates them, and as many of the training images for the gap.
VALIDATION = 1000
#: The first is not counted on any side: a box that has just started imports MLflow in it.
EPOCHS, UNCOUNTED = 4, 1
KERAS = ROOT / ".venv-bench"
KERAS_PACKAGES = ("keras==3.15.0", "tensorflow-cpu==2.21.0", "scipy")


def job_images_per_second(box: Box, precision: str) -> float:
    """Images trained on per second of wall time, from the end of the uncounted epoch on.

    Validation, the gap's sample, recording and checkpoints are inside the clock.
    """
    spec = {
        "dataset": {
            "name": "fashion-mnist",
            "train": IMAGES,
            "validation": VALIDATION,
            "test": 1000,
            "image_size": 32,
            "channels": 3,
        },
        "architecture": "vgg_small",
        "training": {"epochs": EPOCHS, "batch_size": 32, "precision": precision},
    }
    job = box.finish(box.submit(spec)["id"])
    ends = [
        datetime.fromisoformat(event["at"])
        for event in box.events(job["id"])
        if event["type"] == "epoch"
    ]
    counted = (ends[-1] - ends[UNCOUNTED - 1]).total_seconds()
    return IMAGES * (EPOCHS - UNCOUNTED) / counted


def bare_images_per_second(precision: str) -> float:
    """The same of the bare loop, in a process of its own; it evaluates as many images."""
    command = [sys.executable, "-m", "benchmarks.bare_loop", "--images", str(IMAGES), "--epochs", str(EPOCHS), "--precision", precision, "--validation", str(2 * VALIDATION)]  # fmt: skip
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return statistics.harmonic_mean(
        json.loads(printed.splitlines()[-1])["images_per_second"][UNCOUNTED:]
    )


def keras_images_per_second() -> float:
    """The same figure of Keras's `fit`."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "images.npz"
        make = "import sys; from benchmarks.bare_loop import save_images; save_images(sys.argv[1], int(sys.argv[2]))"  # fmt: skip
        subprocess.run([sys.executable, "-c", make, str(path), str(IMAGES)], cwd=ROOT, check=True)
        command = [str(KERAS / "bin/python"), "benchmarks/keras_fit.py", str(path), str(EPOCHS), str(2 * VALIDATION)]  # fmt: skip
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seconds = json.loads(run.stdout.splitlines()[-1])["seconds"]
    return IMAGES / statistics.mean(seconds[UNCOUNTED:])


def prepare_keras() -> None:
    """Make the environment that only this benchmark needs."""
    if not (KERAS / "bin/python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(KERAS)], check=True)
        python = str(KERAS / "bin/python")
        uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python]
        subprocess.run([*uv, *KERAS_PACKAGES], check=True)


def against_bare_loop(box: Box, precision: str, *, rounds: int = 5) -> Figure:
    """At least 0.95 of a loop that does nothing but train."""
    return in_turn(
        f"vgg_small as a job, {precision}",
        "images per second / bare PyTorch loop, whole epochs",
        lambda: job_images_per_second(box, precision),
        lambda: bare_images_per_second(precision),
        target="≥ 0.95",
        unit="images/s",
        rounds=rounds,
    )


def against_keras(box: Box, *, rounds: int = 5) -> Figure:
    """Faster than what people use in a notebook."""
    prepare_keras()
    return in_turn(
        "vgg_small as a job, float32",
        "images per second / Keras 3 `fit` (TensorFlow), whole epochs",
        lambda: job_images_per_second(box, "float32"),
        keras_images_per_second,
        target="> 1",
        unit="images/s",
        rounds=rounds,
    )
