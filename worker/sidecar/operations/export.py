"""`export`: the network of a checkpoint as an ONNX file next to it."""

import importlib.util
import json
import secrets
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from shared.errors import NotFound
from shared.settings import Settings
from shared.sidecar import LONG_TIMEOUT_SECONDS
from shared.storage import Storage, publish, sha256_of_file, sha256_of_stored_file
from worker.sidecar.operations.predict import DAMAGED
from worker.sidecar.predictor import load_predictor
from worker.sidecar.request import Operation, RequestRefused, Subject, fault

FILE = "network.onnx"
#: What is known of the file; written after it, so a file without it is not complete.
RECORD = "network.onnx.json"
PACKAGES = ("onnx", "onnxruntime")


def export(request: dict[str, Any]) -> dict[str, Any]:
    """Return the ONNX file of a checkpoint: `file`, `bytes`, `sha256` and `largest_difference`.

    The file is made at the first request. `largest_difference` is between its outputs and the
    network's, on the same inputs.

    Args:
        request: weights (the file's path in the storage), sha256.

    Raises:
        RequestRefused: the checkpoint is damaged, or ONNX cannot express the network.
    """
    storage = Storage(Settings().storage)
    try:
        weights = storage.path(request["weights"])
        record = _read_record(weights, request["sha256"]) or _make(weights, request["sha256"])
    except (NotFound, SafetensorError, FileNotFoundError) as error:
        raise RequestRefused(fault("", DAMAGED)) from error
    return {**record, "file": storage.relative(weights.with_name(FILE))}


def _read_record(weights: Path, sha256: str) -> dict[str, Any] | None:
    """Return the record of a whole file that was made of these weights; None if there is none."""
    try:
        record = json.loads(weights.with_name(RECORD).read_text())
        digest = sha256_of_stored_file(weights.with_name(FILE))
    except (OSError, ValueError):
        return None
    is_whole = record.pop("weights", None) == sha256 and record["sha256"] == digest
    return record if is_whole else None


def _make(weights: Path, sha256: str) -> dict[str, Any]:
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        detail = f"The box lacks {' and '.join(missing)}, which the export needs. Install them."
        raise RequestRefused(fault("", detail))
    # Kept out of the start: they take half a second to import, and few machines lack them.
    from worker.sidecar.onnx_network import ExportRefused, export_network  # noqa: PLC0415

    if sha256_of_stored_file(weights) != sha256:
        raise RequestRefused(fault("", DAMAGED))
    temporary = weights.with_name(f"{FILE}.tmp-{secrets.token_hex(6)}")
    try:
        difference = export_network(load_predictor(weights), temporary)
        record = {
            "bytes": temporary.stat().st_size,
            "sha256": sha256_of_file(temporary),
            "largest_difference": difference,
        }
        weights.with_name(RECORD).unlink(missing_ok=True)
        publish(temporary, weights.with_name(FILE))
    except ExportRefused as error:
        raise RequestRefused(fault("", error)) from error
    finally:
        temporary.unlink(missing_ok=True)
    temporary.write_text(json.dumps({**record, "weights": sha256}))
    publish(temporary, weights.with_name(RECORD))
    return record


EXPORT = Operation(
    export,
    processes=1,
    max_waiting=3,
    cpu_seconds=2 * int(LONG_TIMEOUT_SECONDS),
    memory_mib=6144,
    is_background=True,
    response_seconds=LONG_TIMEOUT_SECONDS - 2,
    elapsed_seconds=600.0,
    late="The export of this network takes longer than a minute and continues. Try again.",
    subject=Subject("", "export the network", "Download its weights instead."),
)
