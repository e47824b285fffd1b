"""What is sent for predictions: pictures from files and folders, rows from CSV files."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from trainshed.errors import WrongUsage

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
#: Of a request; the service allows 64 pictures and 32 MB with the headers of the parts.
MAX_PICTURES, MAX_BYTES = 64, 31_000_000
MAX_ROWS = 1_000


def prediction_bodies(paths: list[Path]) -> Iterator[dict[str, Any]]:
    """Yield the bodies of the requests, as httpx takes them: pictures, or rows of a CSV file.

    Raises:
        WrongUsage: a path does not exist or cannot be read.
    """
    if len(paths) == 1 and paths[0].suffix.lower() == ".csv":
        rows = read_rows(paths[0])
        for start in range(0, len(rows), MAX_ROWS):
            yield {"json": {"rows": rows[start : start + MAX_ROWS]}}
        return
    for group in in_requests(find_pictures(paths)):
        yield {"files": [("files", (file.name, file.read_bytes())) for file in group]}


def find_pictures(paths: Iterable[Path]) -> list[Path]:
    """Return the files, and for a folder the pictures directly inside it, sorted by name.

    Raises:
        WrongUsage: a path does not exist, or a folder has no picture.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [file for file in sorted(path.iterdir()) if file.suffix.lower() in SUFFIXES]
            if not inside:
                raise WrongUsage(f"{path} has no picture ({', '.join(sorted(SUFFIXES))}).")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise WrongUsage(f"{path} does not exist.")
    return found


def in_requests(files: Iterable[Path]) -> Iterator[list[Path]]:
    """Yield the files in groups that the service takes at once."""
    group: list[Path] = []
    group_bytes = 0
    for file in files:
        size = file.stat().st_size
        if group and (len(group) == MAX_PICTURES or group_bytes + size > MAX_BYTES):
            yield group
            group, group_bytes = [], 0
        group.append(file)
        group_bytes += size
    if group:
        yield group


def read_rows(path: Path) -> list[dict[str, float]]:
    """Return the rows of a CSV file; columns that are no numbers, such as a label, are left out.

    Raises:
        WrongUsage: the file cannot be read, or has no row.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, restkey="", restval=""))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise WrongUsage(f"{path} cannot be read as a CSV file: {error}") from error
    if not rows:
        raise WrongUsage(f"{path} has no rows below its header.")
    return [_numbers(row) for row in rows]


def _numbers(row: dict[str, str]) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for column, text in row.items():
        try:
            numbers[column] = float(text)
        except (TypeError, ValueError):
            continue
    return numbers
