"""Handwritten digits, from the table in scikit-learn's wheel, without importing scikit-learn.

Source: E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI, 1998.
"""

import gzip
import importlib.util
import zlib
from pathlib import Path

import numpy as np

from shared.datasets import DIGITS
from worker.data.dataset import Content
from worker.data.errors import SourceFailed
from worker.data.fetching import first_that_works

TABLE = Path("datasets/data/digits.csv.gz")
HINT = "Install scikit-learn beside the worker (it is in requirements-worker.lock)."


def read() -> Content:
    """Read all 1,797 scans; their grey values 0 to 16 are spread over 0 to 255.

    Raises:
        DatasetMissing: scikit-learn is not there, or its table is damaged.
    """
    return first_that_works(DIGITS.name, [(DIGITS.ways[0], lambda: read_table(table()))], hint=HINT)


def table() -> Path:
    """Where scikit-learn keeps the table.

    Raises:
        SourceFailed: there is no scikit-learn.
    """
    spec = importlib.util.find_spec("sklearn")  # does not import it, which would take a second
    if spec is None or not spec.submodule_search_locations:
        raise SourceFailed("scikit-learn is not there")
    return Path(next(iter(spec.submodule_search_locations))) / TABLE


def read_table(path: Path) -> Content:
    """Read a table of 64 grey values and the digit a row.

    Raises:
        SourceFailed: it is damaged or holds something else.
    """
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            lines = file.readlines()
        if not lines:
            raise SourceFailed(f"{path.name} is empty")
        rows = np.loadtxt(lines, delimiter=",", dtype=np.int64, ndmin=2)
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceFailed(f"{path.name} is damaged ({error})") from error
    side, values = DIGITS.image_size, rows[:, :-1]
    labels_N = rows[:, -1]
    if rows.shape != (DIGITS.train, side * side + 1):
        raise SourceFailed(f"{path.name} holds {rows.shape[0]} rows of {rows.shape[1]} figures")
    if values.min() < 0 or values.max() > 16 or not set(labels_N) <= set(range(10)):
        raise SourceFailed(f"{path.name} holds values outside 0 to 16 or labels outside 0 to 9")
    images = ((values * 255 + 8) // 16).astype(np.uint8)
    return Content.of(images.reshape(-1, 1, side, side), labels_N)
