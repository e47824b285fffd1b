"""Tables of up to 50 MB that are made to take time and memory."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
from pyarrow import parquet

from benchmarks.measurement import Measurement, against_limit, in_turn
from benchmarks.robustness.service import Target

MAX_SECONDS, MAX_MIB = 5.0, 1536.0


def _wide(path: Path) -> None:
    names = ",".join(f"c{number}" for number in range(140_000))
    path.write_text(f"{names},y\n" + ("1," * 140_000 + "a\n") * 160)


def _same_names(path: Path) -> None:
    path.write_text("c," * 140_000 + "y\n" + ("1," * 140_000 + "a\n") * 160)


def _expands(path: Path) -> None:
    rows = 9_500_000
    texts = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(rows, np.int32)), pa.array(["1" * 520])
    )
    table = pa.table({"x": texts, "y": pa.array(np.arange(rows) % 2)})
    parquet.write_table(table, path, compression="zstd")


def _blank_lines(path: Path) -> None:
    path.write_bytes(b"a,y\n1,2\n" + b"\n" * 49_000_000 + b"x,y\n")


def _blank_lines_and_quotes(path: Path) -> None:
    """Write lines that have to be counted one by one: quotes may contain line breaks."""
    path.write_bytes(b"a,y\n1,2\n" + b"\n" * 49_000_000 + b'"x",y\n')


def _bad_rows(path: Path) -> None:
    path.write_bytes(b"a,y\n" + b"1,2,3\n" * 8_000_000)


def _labels(path: Path) -> None:
    path.write_bytes(b"a,y\n" + b"".join(b"1,label%d\n" % number for number in range(3_500_000)))


def _usual(path: Path) -> None:
    rows = (b"%d.25,k%d\n" % (number, number % 7) for number in range(3_800_000))
    path.write_bytes(b"a,y\n" + b"".join(rows))


TABLES: dict[str, Callable[[Path], None]] = {
    "wide.csv": _wide,
    "same-names.csv": _same_names,
    "expands.parquet": _expands,
    "blank-lines.csv": _blank_lines,
    "quotes.csv": _blank_lines_and_quotes,
    "bad-rows.csv": _bad_rows,
    "labels.csv": _labels,
    "usual.csv": _usual,
}


def measure(target: Target) -> Iterator[Measurement]:
    """Yield the measurements."""
    directory = target.home / "data" / "table"
    directory.mkdir(parents=True, exist_ok=True)
    peaks: list[float] = []
    for file, write in TABLES.items():
        write(directory / file)
        seconds = _ask(target, file, peaks)
        size = (directory / file).stat().st_size / 1e6
        name = f"validate with {file} ({size:.3g} MB)"
        yield against_limit(name, [seconds], MAX_SECONDS, ratio_of="s / 5 s", unit="s")
    yield against_limit(
        "the sidecar at these tables", peaks, MAX_MIB, ratio_of="MiB / 1.5 GB", unit="MiB"
    )
    numbers = iter(range(1, 10**6))
    yield in_turn(
        "another network's check next to quotes.csv",
        "ms / without it",
        lambda: _next_to_a_table(target, numbers),
        lambda: _describe_ms(target, numbers),
        target="≤ 2",
        unit="ms",
    )


def _ask(target: Target, file: str, peaks: list[float]) -> float:
    """Return the seconds of a `validate`, and note the sidecar's memory while it runs."""
    spec = {
        "dataset": {"name": "table", "file": file, "target": "y"},
        "architecture": {"name": "mlp"},
    }
    with ThreadPoolExecutor(1) as client:
        began = time.perf_counter()
        answer = client.submit(_validate, target, spec)
        while not answer.done():
            peaks.append(target.memory_mib("worker.sidecar"))
            time.sleep(0.02)
        seconds = time.perf_counter() - began
    if answer.result().status_code not in {200, 422}:
        raise RuntimeError(answer.result().text)
    return seconds


def _validate(target: Target, spec: dict[str, Any]) -> httpx.Response:
    """Validate a specification, and again while the service is busy; it all counts as one time."""
    while True:
        response = target.http.post(f"{target.load.collection_url}/validate", json=spec)
        if response.status_code != 503:
            return response


def _describe_ms(target: Target, numbers: Iterator[int]) -> float:
    """Return the median time of checks of networks that were never checked before."""
    durations: list[float] = []
    for _ in range(15):
        spec = {
            "dataset": {"name": "digits"},
            "architecture": {"name": "mlp", "hidden_units": [next(numbers)]},
        }
        began = time.perf_counter()
        target.http.post(f"{target.load.collection_url}/validate", json=spec).raise_for_status()
        durations.append(1000 * (time.perf_counter() - began))
    return float(np.median(durations))


def _next_to_a_table(target: Target, numbers: Iterator[int]) -> float:
    spec = {
        "dataset": {"name": "table", "file": "quotes.csv", "target": "y"},
        "architecture": {"name": "mlp"},
    }
    with ThreadPoolExecutor(1) as client:
        client.submit(_validate, target, spec)
        time.sleep(0.1)
        return _describe_ms(target, numbers)
