"""The digits data set, from the table in scikit-learn's wheel, without importing scikit-learn.

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
from worker.data.fetching import read_first_available

TABLE = Path("datasets/data/digits.csv.gz")
HINT = "Install scikit-learn in the worker's environment (requirements-worker.lock has it)."


def read() -> Content:
    """Read all 1,797 scans; grey values of 0 to 16 are scaled to 0 to 255.

    Raises:
        DatasetMissing: scikit-learn is not installed, or its table is damaged.
    """
    source = (DIGITS.ways[0], lambda: read_table(find_table()))
    return read_first_available(DIGITS.name, [source], hint=HINT)


def find_table() -> Path:
    """Return the path of the table in scikit-learn's wheel.

    Raises:
        SourceFailed: scikit-learn is not installed.
    """
    spec = importlib.util.find_spec("sklearn")  # without importing it, which takes a second
    if spec is None or not spec.submodule_search_locations:
        raise SourceFailed("scikit-learn is not installed")
    return Path(next(iter(spec.submodule_search_locations))) / TABLE


def read_table(path: Path) -> Content:
    """Read a table whose rows have 64 grey values and the digit.

    Raises:
        SourceFailed: the table is damaged or has other values.
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
        raise SourceFailed(f"{path.name} has {rows.shape[0]} rows of {rows.shape[1]} values")
    if values.min() < 0 or values.max() > 16 or not set(labels_N) <= set(range(10)):
        raise SourceFailed(f"{path.name} has values outside 0 to 16 or labels outside 0 to 9")
    images = ((values * 255 + 8) // 16).astype(np.uint8)
    return Content.of(images.reshape(-1, 1, side, side), labels_N)
