"""What the pictures show: small real trainings in every state, and uploaded data sets."""

import io
import time
import zipfile
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.boxes import Box

DIGITS: dict[str, Any] = {
    "dataset": "digits",
    "architecture": {"name": "mlp", "hidden_units": [64]},
    "training": {"epochs": 30, "batch_size": 64},
}
SIZE = 32
SHAPES = ("circle", "square", "triangle", "cross")
#: Longer than a training of the pictures takes on two busy cores.
TIMEOUT_SECONDS = 300


def with_changes(name: str, **changes: Any) -> dict[str, Any]:
    """Return the specification of a job on digits with other values."""
    return {**DIGITS, "name": name, **changes}


def train_digits(box: Box) -> dict[str, str]:
    """Train jobs that succeed, diverge and repeat each other; return their ids by name."""
    sgd = {"name": "sgd", "learning_rate": 0.05}
    augmentation = {"rotation": 10, "width_shift": 0.1, "height_shift": 0.1}
    specs = [
        *(with_changes(f"mlp-seed-{seed}", seed=seed, optimizer=sgd) for seed in (1, 2, 3)),
        with_changes("mlp-adam", optimizer={"name": "adam"}, tags={"group": "optimizers"}),
        with_changes("mlp-augmented", optimizer=sgd, augmentation=augmentation),
        with_changes(
            "mlp-too-fast",
            optimizer={"name": "sgd", "learning_rate": 900.0},
            training={"epochs": 20, "batch_size": 32},
        ),
        with_changes(
            "mlp-small-steps",
            optimizer={"name": "sgd", "learning_rate": 1e-6},
            training={"epochs": 12, "batch_size": 64},
        ),
    ]
    ids = {spec["name"]: box.submit(spec)["id"] for spec in specs}
    for job in ids.values():
        box.finish(job, any_state=True)
    return ids


def train_shapes(box: Box) -> str:
    """Train a small network on the uploaded pictures for two epochs, so that it errs sometimes."""
    spec = {
        "name": "shapes-vgg",
        "dataset": {"name": "shapes", "image_size": SIZE, "channels": 3},
        "architecture": {"name": "vgg_small", "widths": [8, 16], "hidden_units": [32]},
        "optimizer": {"name": "adam", "learning_rate": 0.002},
        "training": {"epochs": 8, "batch_size": 16},
        "metrics": {"top_k": [1, 2]},
    }
    job = box.submit(spec)["id"]
    box.finish(job)
    return job


def analyse(box: Box, job: str) -> dict[str, str]:
    """Request an analysis of each kind; return the ids by kind once all have ended."""
    requests: dict[str, dict[str, Any]] = {
        "curvature": {},
        "loss_surface": {"samples": 300},
        "loss_path": {},
        "loss_estimate": {},
        "label_errors": {},
    }
    ids: dict[str, str] = {}
    for kind, fields in requests.items():
        response = box.http.post(f"/v1/jobs/{job}/analyses", json={"kind": kind, **fields})
        ids[kind] = response.raise_for_status().json()["id"]
    deadline = time.monotonic() + TIMEOUT_SECONDS
    for each in ids.values():
        while box.http.get(f"/v1/analyses/{each}").json()["state"] in {"queued", "running"}:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{each} has not ended")
            time.sleep(0.5)
    return ids


def start_long_jobs(box: Box) -> dict[str, str]:
    """Start a job that trains for minutes, and submit jobs that wait behind it."""
    training = {"epochs": 5000, "batch_size": 64}
    running = box.submit(with_changes("mlp-long", training=training, seed=11))["id"]
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while (box.http.get(f"/v1/jobs/{running}").json()["progress"] or {}).get("epoch", 0) < 25:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{running} has not come to epoch 25")
        time.sleep(0.5)
    waiting = box.submit(with_changes("mlp-next", seed=12, priority="high"))["id"]
    box.submit(with_changes("mlp-later", seed=13))
    paused = box.submit(with_changes("mlp-paused", seed=14, priority="low"))["id"]
    box.http.post(f"/v1/jobs/{paused}/pause").raise_for_status()
    return {"mlp-long": running, "mlp-next": waiting}


def upload(box: Box, name: str, content: bytes) -> dict[str, Any]:
    """Upload a data set and return it once it is checked."""
    headers = {"Content-Type": "application/octet-stream"}
    response = box.http.post(f"/v1/datasets?name={name}", content=content, headers=headers)
    response.raise_for_status()
    while (found := box.http.get(f"/v1/datasets/{name}").json())["state"] == "checking":
        time.sleep(0.3)
    return found


def shapes(count: int = 60) -> bytes:
    """Return a zip of class folders with noisy pictures of shapes; two pictures are the same."""
    draw = np.random.default_rng(0)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as file:
        for name in SHAPES:
            for number in range(count):
                file.writestr(f"shapes/{name}/{number:03}.png", shape(name, draw))
        file.writestr("shapes/circle/copy.png", file.read("shapes/circle/000.png"))
    return written.getvalue()


def broken_zip() -> bytes:
    """Return a zip of class folders with files that are no pictures."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as file:
        picture = shape("circle", np.random.default_rng(1))
        for number in range(30):
            file.writestr(f"leaf/{number}.png", picture)
            file.writestr(f"flower/{number}.png", picture if number > 2 else picture[:90])
        file.writestr("flower/notes.txt", "taken in June")
    return written.getvalue()


def shape(name: str, draw: np.random.Generator) -> bytes:
    """Return a PNG of a shape at a random place in a random color, with noise."""
    back, front = (tuple(int(c) for c in draw.integers(*limits, 3)) for limits in BACK_AND_FRONT)
    picture = Image.new("RGB", (SIZE, SIZE), back)
    pen, radius = ImageDraw.Draw(picture), int(draw.integers(5, 11))
    x, y = (int(c) for c in draw.integers(radius + 1, SIZE - radius - 1, 2))
    left, top, right, bottom = x - radius, y - radius, x + radius, y + radius
    if name == "circle":
        pen.ellipse((left, top, right, bottom), fill=front)
    elif name == "square":
        pen.rectangle((left, top, right, bottom), fill=front)
    elif name == "triangle":
        pen.polygon([(x, top), (right, bottom), (left, bottom)], fill=front)
    else:
        pen.rectangle((x - 2, top, x + 2, bottom), fill=front)
        pen.rectangle((left, y - 2, right, y + 2), fill=front)
    noise = draw.normal(0, 14, (SIZE, SIZE, 3))
    noisy = np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8)
    written = io.BytesIO()
    Image.fromarray(noisy).save(written, "PNG")
    return written.getvalue()


BACK_AND_FRONT = ((0, 110), (130, 256))
