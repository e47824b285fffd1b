"""Uploads through the API compared with a bare handler, and the start of the second job.

All sides run on this machine in turn.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.boxes import free_port
from benchmarks.measurement import Measurement, against_limit, in_turn
from benchmarks.routes import running
from box.key import ensure_key
from shared import migrations, uploaded_datasets
from shared.database import Database
from shared.settings import Settings
from worker.data.loading import load_splits
from worker.data.uploaded import state_of, write_facts
from worker.data.uploads import check, open_upload

SIZE_MIB, CHUNK = 400, os.urandom(2**20)
ADDED_MIB, FIRST_BATCH_SECONDS = 50, 0.5
HEADERS = {"Content-Type": "application/octet-stream"}
BATCH_SIZE = 32


@dataclass(frozen=True)
class Upload:
    """An address that takes a file."""

    url: str
    headers: dict[str, str]

    def mib_per_second(self) -> float:
        """Return the speed of one upload."""
        start = time.perf_counter()
        body = (CHUNK for _ in range(SIZE_MIB))
        response = httpx.post(self.url, content=body, headers=HEADERS | self.headers, timeout=120)
        response.raise_for_status()
        return SIZE_MIB / (time.perf_counter() - start)


def _peak_mib(port: int) -> float:
    """Return the largest memory of the process that has a port in its settings, and reset it."""
    variable = f"TRAINSHED_PORT={port}".encode()
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if variable in (directory / "environ").read_bytes().split(b"\0"):
                lines = (directory / "status").read_text().splitlines()
                (directory / "clear_refs").write_text("5")
                return next(int(s.split()[1]) / 1024 for s in lines if s.startswith("VmHWM:"))
        except OSError:
            continue
    raise RuntimeError("the API is not running")


@contextmanager
def _services(directory: Path) -> Iterator[tuple[Upload, Upload, int]]:
    port, their_port, home = free_port(), free_port(), directory / "home"
    settings = Settings(home=home)
    settings.make_directories()
    ensure_key(settings)
    database = Database(settings.database, pool_size=1)
    migrations.upgrade(database)
    database.close()
    clean = {name: value for name, value in os.environ.items() if "TRAINSHED" not in name}
    environment = clean | {"TRAINSHED_HOME": str(home), "TRAINSHED_PORT": str(port)}
    key = {"Authorization": f"Bearer {settings.key_file.read_text().strip()}"}
    url, python = f"http://127.0.0.1:{port}", [sys.executable, "-m"]
    theirs = [*python, "benchmarks.minimal_upload", str(their_port), str(directory)]
    with (
        running([*python, "api"], environment, f"{url}/healthz"),
        running(theirs, clean, f"http://127.0.0.1:{their_port}"),
    ):
        ours = Upload(f"{url}/v1/datasets?name=big", key)
        yield ours, Upload(f"http://127.0.0.1:{their_port}", {}), port


def through_the_api(*, rounds: int = 5) -> Iterator[Measurement]:
    """Compare uploads through the API with a bare handler; limit the memory that they add."""
    with tempfile.TemporaryDirectory() as folder, _services(Path(folder)) as (ours, theirs, port):
        _peak_mib(port)
        idle_mib = _peak_mib(port)
        yield in_turn(
            f"upload of {SIZE_MIB} MiB through the API",
            "MiB per second / bare Starlette handler that writes, hashes and calls fsync",
            ours.mib_per_second,
            theirs.mib_per_second,
            target="≥ 0.8",
            unit="MiB/s",
            rounds=rounds,
        )
        added = [max(0.0, _peak_mib(port) - idle_mib)]
        name = f"memory that {rounds} uploads of {SIZE_MIB} MiB add to the API"
        yield against_limit(name, added, ADDED_MIB, ratio_of=f"MiB / {ADDED_MIB} MiB", unit="MiB")


def second_job(archive: Path, images: int, *, rounds: int = 5) -> Measurement:
    """Limit the time from the start of loading to the first batch of a set that is in the cache."""
    with tempfile.TemporaryDirectory() as folder:
        home, reference = Path(folder), "pictures@1"
        path = uploaded_datasets.file(home, reference)
        path.parent.mkdir(parents=True)
        path.write_bytes(archive.read_bytes())
        upload = open_upload(path)
        report = check(upload, skip_bad=False, progress=lambda _: None).as_json()
        upload.close()
        write_facts(home, reference, report, state_of(path))
        test = images // 10
        dataset: dict[str, Any] = {
            "name": reference,
            "content_hash": report["content_hash"],
            "resize": "crop",
            "image_size": 64,
            "channels": 3,
            "train": images - 2 * test,
            "validation": test,
            "test": test,
        }
        (home / "cache").mkdir()

        def first_batch() -> float:
            start = time.perf_counter()
            loaded, indices = load_splits(
                dataset, seed=0, data_dir=home / "data", cache_dir=home / "cache"
            )
            np.ascontiguousarray(loaded.images[indices.train[:BATCH_SIZE]])
            return time.perf_counter() - start

        first_batch()  # decodes all images once
        seconds = [first_batch() for _ in range(rounds)]
    return against_limit(
        f"first batch of the second job on {images:,} uploaded images",
        seconds,
        FIRST_BATCH_SECONDS,
        ratio_of=f"seconds / {FIRST_BATCH_SECONDS} s",
        unit="s",
    )
