"""`samples`: a picture of some images of each class of a data set."""

import base64
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from shared.datasets import FACTS
from shared.settings import Settings
from worker.data.dataset import Integers
from worker.data.errors import DatasetMissing
from worker.data.some_images import SomeImages, some_images
from worker.sidecar.request import Operation, RequestRefused, Subject, fault
from worker.sidecar.sheet import GAP, as_png, sheet

SIZE = 64
#: Pixels for the names of the classes, and the characters that fit there.
NAMES_WIDTH, MAX_NAME_LENGTH = 132, 20
INK = (40, 40, 40)


def samples(request: dict[str, Any]) -> dict[str, Any]:
    """Return the picture as a PNG in base64: a row for each class, with its name.

    Args:
        request: name, first_class, classes and per_class (numbers).

    Raises:
        RequestRefused: the data set is missing.
    """
    home = Settings().home
    facts = FACTS.get(request["name"])
    size = SIZE if facts is None else min(SIZE, facts.image_size)
    dataset = {"name": request["name"], "image_size": size, "channels": 3, "resize": "pad"}
    drawn = request["per_class"] * len(facts.classes if facts else ())
    directories = {"data_dir": home / "data", "cache_dir": home / "cache"}
    try:
        with some_images(dataset, drawn=drawn, is_quick=True, **directories) as images:
            png = _picture(images, request)
    except DatasetMissing as error:
        raise RequestRefused(fault("/path/name", error)) from error
    return {"png": base64.b64encode(png).decode()}


def _picture(images: SomeImages, request: dict[str, Any]) -> bytes:
    first = request["first_class"]
    shown = range(first, min(first + request["classes"], len(images.class_names)))
    chosen = [_spread(np.flatnonzero(images.labels == k), request["per_class"]) for k in shown]
    images_NCHW = images.take(np.concatenate(chosen))
    rows = np.split(images_NCHW, np.cumsum([len(indices) for indices in chosen])[:-1])
    picture = Image.fromarray(sheet(rows, left=NAMES_WIDTH, min_side=SIZE))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(12)
    row_height = (picture.height - GAP) // len(rows)
    for number, label in enumerate(shown):
        # The font has the letters of Western languages only; the order of the rows is that of
        # the data set's classes.
        name = (
            images.class_names[label][:MAX_NAME_LENGTH]
            .encode("latin-1", "replace")
            .decode("latin-1")
        )
        middle = GAP + number * row_height + (row_height - GAP) // 2
        draw.text((GAP, middle), name, fill=INK, font=font, anchor="lm")
    return as_png(picture)


def _spread(indices: Integers, count: int) -> Integers:
    """Return at most `count` of the indices, evenly spread."""
    taken = min(count, len(indices))
    return indices[np.arange(taken) * len(indices) // max(1, taken)]


#: A picture takes a hundred times as long as a network, so only one is made at a time.
SAMPLES = Operation(
    samples,
    processes=1,
    max_waiting=4,
    cpu_seconds=30,
    memory_mib=2048,
    is_kept=True,
    is_background=True,
    subject=Subject("/query/per_class", "read the images", "Show fewer of them."),
)
