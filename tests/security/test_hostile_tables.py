"""Tables that are made to take the sidecar's time and memory: each is refused, and only it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from shared.errors import Unavailable
from tests.worker.sidecar.running import RunningSidecar, start
from tests.worker.sidecar.test_server import LINEAR

WIDE = 140_000


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSidecar]:
    home = tmp_path_factory.mktemp("home")
    (home / "data" / "table").mkdir(parents=True)
    with start(home) as started:
        yield started


def ask(running: RunningSidecar, file: str) -> dict[str, Any]:
    """Ask about a table, and again while the sidecar is busy, as on a machine under load."""
    request = {"name": "table", "file": file, "target": "y", "features": None, "is_number": False}
    while True:
        try:
            return running.ask(operation="table", **request)
        except Unavailable:
            continue


def write_wide(path: Path) -> None:
    names = ",".join(f"c{number}" for number in range(WIDE))
    path.write_text(f"{names},y\n" + ("1," * WIDE + "a\n" + "1," * WIDE + "b\n") * 2)


def write_same_names(path: Path) -> None:
    path.write_text("c," * WIDE + "y\n" + ("1," * WIDE + "a\n" + "1," * WIDE + "b\n") * 2)


def write_bomb(path: Path) -> None:
    """Write a file of some kB with a column of 2.5 GB."""
    rows = 9_500_000
    texts = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(rows, np.int32)), pa.array(["1" * 260])
    )
    table = pa.table({"x": texts, "y": pa.array(np.arange(rows) % 2)})
    parquet.write_table(table, path, compression="zstd")


def write_blank_lines(path: Path) -> None:
    path.write_bytes(b"a,y\n1,2\n" + b"\n" * 50_000_000 + b"x,y\n")


def write_blank_lines_and_quotes(path: Path) -> None:
    """Write lines that have to be counted one by one: quotes may contain line breaks."""
    path.write_bytes(b"a,y\n1,2\n" + b"\n" * 50_000_000 + b'"x",y\n')


def write_bad_rows(path: Path) -> None:
    path.write_bytes(b"a,y\n" + b"1,2,3\n" * 8_000_000)


def write_other_encoding(path: Path) -> None:
    path.write_bytes(b"a,y\n" + b"\xff,1\n" * 10_000_000)


def write_quotes(path: Path) -> None:
    path.write_bytes(b"a,y\n" + b'"' * 50_000_000)


def write_unreadable_types(path: Path) -> None:
    columns = {
        "list": [[{"a": 1}]] * 3,
        "map": pa.array([[("k", 1)]] * 3, pa.map_(pa.string(), pa.int64())),
        "duration": pa.array([1, 2, 3], pa.duration("s")),
        "uuid": pa.array([b"0123456789abcdef"] * 3, pa.uuid()),
        "y": ["a", "b", "a"],
    }
    parquet.write_table(pa.table(columns), path)


HOSTILE: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "wide.csv": (write_wide, "features", "has 140,000 features; at most 10,000 are allowed"),
    "same-names.csv": (write_same_names, "features", "are both named `c`"),
    "bomb.parquet": (write_bomb, "file", "It takes more than 1,024 MiB of memory to read"),
    "blank-lines.csv": (write_blank_lines, "file", "has 2 rows of data"),
    "quotes-after-blank-lines.csv": (
        write_blank_lines_and_quotes,
        "file",
        "It takes more than 3 s of CPU time to read",
    ),
    "bad-rows.csv": (write_bad_rows, "file", "in at least 1,000 rows, such as 3"),
    "encoding.csv": (write_other_encoding, "file", "is not UTF-8 in at least 1,000 rows"),
    "quotes.csv": (write_quotes, "file", "cannot be read as CSV"),
    "types.parquet": (write_unreadable_types, "features", "column `map` holds structures"),
}


@pytest.mark.parametrize("file", HOSTILE)
def test_hostile_table_is_refused_and_nothing_else_waits(
    running: RunningSidecar, file: str
) -> None:
    write, field, reason = HOSTILE[file]
    path = running.home / "data" / "table" / file
    write(path)
    with ThreadPoolExecutor(1) as client:
        refused = client.submit(ask, running, file)
        assert running.ask(**LINEAR)["ok"]
        response = refused.result()
    path.unlink()
    assert response["ok"] is False, response
    assert response["faults"][0]["pointer"] == f"/dataset/{field}"
    assert reason in response["faults"][0]["detail"]


def test_as_many_hostile_tables_as_processes_leave_other_questions_alone(
    running: RunningSidecar,
) -> None:
    directory = running.home / "data" / "table"
    files = [f"blank-{number}.csv" for number in range(3)]
    for file in files:
        write_blank_lines_and_quotes(directory / file)
    with ThreadPoolExecutor(3) as clients:
        refused = [clients.submit(ask, running, file) for file in files]
        for classes in range(100, 110):
            assert running.ask(**LINEAR | {"classes": classes})["ok"]
        assert not any(response.done() for response in refused)
    (directory / "small.csv").write_text("a,y\n1,x\n2,y\n3,x\n")
    assert ask(running, "small.csv")["rows"] == 3
