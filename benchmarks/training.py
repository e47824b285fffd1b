"""`vgg_small` trained as a job, compared with a bare PyTorch loop and with Keras's `fit`."""

import json
import statistics
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from benchmarks.boxes import ROOT, Box
from benchmarks.measurement import Measurement, in_turn

IMAGES = 5000
#: A job evaluates these, and as many training images for the generalization gap.
VALIDATION = 1000
#: The first epoch is not counted on either side: a box imports MLflow during it.
EPOCHS, UNCOUNTED_EPOCHS = 4, 1
KERAS = ROOT / ".venv-bench"
KERAS_PACKAGES = ("keras==3.15.0", "tensorflow-cpu==2.21.0", "scipy")


def job_images_per_second(box: Box, precision: str) -> float:
    """Return the training images per second of wall time, after the uncounted epoch.

    Includes validation, the sample for the gap, recording and checkpoints.
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
    seconds = (ends[-1] - ends[UNCOUNTED_EPOCHS - 1]).total_seconds()
    return IMAGES * (EPOCHS - UNCOUNTED_EPOCHS) / seconds


def bare_images_per_second(precision: str) -> float:
    """Return the same for the bare loop in a separate process; it evaluates as many images."""
    command = [sys.executable, "-m", "benchmarks.bare_loop", "--images", str(IMAGES), "--epochs", str(EPOCHS), "--precision", precision, "--validation", str(2 * VALIDATION)]  # fmt: skip
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return statistics.harmonic_mean(
        json.loads(output.splitlines()[-1])["images_per_second"][UNCOUNTED_EPOCHS:]
    )


def keras_images_per_second() -> float:
    """Return the same for Keras's `fit`."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "images.npz"
        script = "import sys; from benchmarks.bare_loop import save_images; save_images(sys.argv[1], int(sys.argv[2]))"  # fmt: skip
        subprocess.run([sys.executable, "-c", script, str(path), str(IMAGES)], cwd=ROOT, check=True)
        command = [str(KERAS / "bin/python"), "benchmarks/keras_fit.py", str(path), str(EPOCHS), str(2 * VALIDATION)]  # fmt: skip
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seconds = json.loads(run.stdout.splitlines()[-1])["seconds"]
    return IMAGES / statistics.mean(seconds[UNCOUNTED_EPOCHS:])


def prepare_keras() -> None:
    """Create the environment with Keras, unless it exists."""
    if not (KERAS / "bin/python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(KERAS)], check=True)
        python = str(KERAS / "bin/python")
        uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python]
        subprocess.run([*uv, *KERAS_PACKAGES], check=True)


def against_bare_loop(box: Box, precision: str, *, rounds: int = 5) -> Measurement:
    """Compare with a loop that only trains: at least 0.95 of its speed."""
    return in_turn(
        f"vgg_small as a job, {precision}",
        "images per second / bare PyTorch loop, whole epochs",
        lambda: job_images_per_second(box, precision),
        lambda: bare_images_per_second(precision),
        target="≥ 0.95",
        unit="images/s",
        rounds=rounds,
    )


def against_keras(box: Box, *, rounds: int = 5) -> Measurement:
    """Compare with Keras's `fit`: faster."""
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
