"""`predict_dataset`: the predictions for a data set as a CSV file, written in slices.

A request works for some seconds and returns how far the file is. The same request again continues,
also after the process or the whole sidecar has ended. So memory and time of a request are bounded
however large the data set is, and nothing works that nobody waits for.
"""

import csv
import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.settings import Settings
from shared.sidecar import LONG_TIMEOUT_SECONDS, digest
from shared.storage import Storage, publish, sha256_of_file
from worker.data.errors import DatasetMissing
from worker.sidecar.dataset_samples import SampleBatch, open_samples
from worker.sidecar.operations.predict import read_predictor
from worker.sidecar.predictor import Predictor
from worker.sidecar.request import Operation, RequestRefused, Subject, fault

SLICE_SECONDS = 2.0
#: Files in work whose data sets stay open; the others are opened again.
MAX_OPEN = 2
DELETED = "The job was deleted."


@dataclass
class _Work:
    """A file of predictions that is not complete."""

    count: int
    batches: Iterator[SampleBatch]
    #: Samples in the file, and its size in bytes; what is beyond it was cut off by a crash.
    done: int = 0
    size: int = 0


_open = dict[str, _Work]()


def predict_dataset(request: dict[str, Any]) -> dict[str, Any]:
    """Predict more samples; return `samples`, and of these `done`.

    When all are done, also returns `bytes` and `sha256` of the file.

    Args:
        request: weights, sha256, top_k as `predict` takes them; file (the path of the CSV file in
            the storage); and what `open_samples` takes.

    Raises:
        RequestRefused: the checkpoint is damaged, or the data set is missing.
    """
    key = digest(request)
    path = Storage(Settings().storage).root / request["file"]
    progress = _read(path.with_name(f"{path.name}.json"), key)
    if "sha256" in progress and path.is_file() and path.stat().st_size == progress["bytes"]:
        return progress
    try:
        work = _open.pop(key, None) or _start(request, path, key)
        _write_slice(request, work, path, key)
    except DatasetMissing as error:
        raise RequestRefused(fault("/dataset", f"{error}. {error.hint}")) from error
    except FileNotFoundError as error:
        raise RequestRefused(fault("", DELETED)) from error
    if work.done < work.count:
        _open[key] = work
        for oldest in list(_open)[:-MAX_OPEN]:
            del _open[oldest]
        return {"samples": work.count, "done": work.done}
    return _finish(work, path, key)


def _start(request: Mapping[str, Any], path: Path, key: str) -> _Work:
    """Return the work on a file, from where it ended."""
    progress = _read(path.with_name(f"{path.name}.json"), key)
    part = path.with_name(f"{path.name}.part")
    if not part.is_file() or part.stat().st_size < progress.get("size", 0):
        progress = {}
    done = progress.get("done", 0)
    samples = open_samples(request, Settings().home, first=done)
    work = _Work(samples.count, samples.batches, done, progress.get("size", 0))
    if not path.parent.parent.is_dir():
        raise FileNotFoundError(path)
    path.parent.mkdir(exist_ok=True)
    with part.open("ab") as file:
        file.truncate(work.size)
    return work


def _write_slice(request: Mapping[str, Any], work: _Work, path: Path, key: str) -> None:
    """Predict batches until the time is over, and record how far the file is."""
    predictor = read_predictor(request["weights"], request["sha256"])
    k = min(request["top_k"], len(predictor.class_names))
    deadline = time.monotonic() + SLICE_SECONDS
    with path.with_name(f"{path.name}.part").open("r+", newline="", encoding="utf-8") as file:
        file.seek(work.size)
        rows = csv.writer(file)
        if not work.size:
            rows.writerow(_header(k))
        for batch in work.batches:
            rows.writerows(_rows(predictor, batch, k))
            work.done += len(batch.indices)
            if time.monotonic() > deadline:
                break
        file.flush()
        work.size = file.tell()
    _record(path, key, {"samples": work.count, "done": work.done, "size": work.size})


def _header(k: int) -> list[str]:
    if not k:
        return ["sample", "name", "target", "prediction"]
    columns = [
        name for rank in range(1, k + 1) for name in (f"class_{rank}", f"probability_{rank}")
    ]
    return ["sample", "name", "label", *columns]


def _rows(predictor: Predictor, batch: SampleBatch, k: int) -> Iterator[list[Any]]:
    outputs_NM = predictor.outputs(batch.inputs_NCHW)
    if k:
        answers = [
            [
                cell
                for entry in top
                for cell in (entry["class"], _number(entry["probability"], ".6g"))
            ]
            for top in predictor.top_k(outputs_NM, k)
        ]
    else:
        answers = [[_number(value, ".12g")] for value in outputs_NM[:, 0].tolist()]
    for *known, answer in zip(batch.indices, batch.names, batch.labels, answers, strict=True):
        yield [*known, *answer]


def _number(value: float | None, form: str) -> str:
    """Return a number as text; empty where it is not finite."""
    return format(value, form) if value is not None and math.isfinite(value) else ""


def _finish(work: _Work, path: Path, key: str) -> dict[str, Any]:
    part = path.with_name(f"{path.name}.part")
    size, sha256 = part.stat().st_size, sha256_of_file(part)
    publish(part, path)
    progress = {"samples": work.count, "done": work.done, "bytes": size, "sha256": sha256}
    _record(path, key, progress)
    return progress


def _read(path: Path, key: str) -> dict[str, Any]:
    """Return the recorded progress of this request; empty if there is none."""
    try:
        progress = json.loads(path.read_text())
        return progress if progress.pop("key") == key else {}
    except (OSError, ValueError, KeyError):
        return {}


def _record(path: Path, key: str, progress: dict[str, Any]) -> None:
    record = path.with_name(f"{path.name}.json")
    temporary = record.with_suffix(".tmp")
    temporary.write_text(json.dumps({**progress, "key": key}))
    temporary.replace(record)


PREDICT_DATASET = Operation(
    predict_dataset,
    processes=1,
    max_waiting=4,
    cpu_seconds=2 * int(LONG_TIMEOUT_SECONDS),
    memory_mib=6144,
    is_kept=True,
    is_background=True,
    response_seconds=LONG_TIMEOUT_SECONDS - 1,
    subject=Subject("", "predict the data set", "Use a smaller network or smaller images."),
)
