"""A `TrainingState` as a directory of files, without pickle, that is there whole or not at all.

weights.safetensors   the model's tensors by their own names; what is given to people
state.safetensors     what the optimizer keeps, generators, best weights of early stopping
state.json            the rest: counters, sums, best values
manifest.json         bytes and sha256 of each; written last
"""

import errno
import hashlib
import json
import os
import re
import secrets
import struct
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from worker.training.experiment import Experiment
from worker.training.state import Patience, Position, StageEnd, TrainingState

WEIGHTS = "weights.safetensors"
TENSORS = "state.safetensors"
FIGURES = "state.json"
MANIFEST = "manifest.json"
FORMAT = 1
#: How long the JSON head of a safetensors file is, in bytes; the first thing in it.
HEAD_LENGTH = struct.Struct("<Q")

Manifest = dict[str, dict[str, Any]]


class CheckpointCorrupt(Exception):
    """The files of a checkpoint are not what was written."""


def metadata(experiment: Experiment) -> dict[str, str]:
    """What somebody needs to use the weights without the job, as JSON strings."""
    normalization = experiment.normalization
    described = {
        "architecture": dict(experiment.architecture),
        "class_names": list(experiment.class_names),
        "image_shape": list(experiment.splits.train.images.shape[1:]),
        "normalization": {
            "mean": list(normalization.mean),
            "deviation": list(normalization.deviation),
            "largest": normalization.largest,
        },
    }
    return {name: json.dumps(value) for name, value in described.items()}


def save(
    state: TrainingState, directory: Path, *, metadata: Mapping[str, str] | None = None
) -> Manifest:
    """Write a checkpoint; it survives a loss of power once this returns.

    Args:
        state: what is written.
        directory: what it will be called; must not exist, its parent is made.
        metadata: what goes into the head of the weights' file, see `metadata`.

    Returns:
        `{file: {"bytes", "sha256"}}`.

    Raises:
        FileExistsError: there is such a directory.
        OSError: the disk does not take it; nothing is left behind.
    """
    if directory.exists():
        raise FileExistsError(f"there is a checkpoint {directory.name!r} already")
    directory.parent.mkdir(parents=True, exist_ok=True)
    temporary = directory.with_name(f"{directory.name}.tmp-{secrets.token_hex(6)}")
    temporary.mkdir()
    try:
        _save_tensors(state.model, temporary / WEIGHTS, metadata)
        _save_tensors(dict(_flat(state)), temporary / TENSORS, None)
        (temporary / FIGURES).write_text(json.dumps(_figures(state), indent=1))
        files: Manifest = {}
        for name in (WEIGHTS, TENSORS, FIGURES):
            path = temporary / name
            _to_disk(path)
            files[name] = {"bytes": path.stat().st_size, "sha256": _sha256(path)}
        manifest = temporary / MANIFEST
        manifest.write_text(json.dumps({"format": FORMAT, "files": files}, indent=1))
        _to_disk(manifest)
        _to_disk(temporary)
        temporary.rename(directory)
    except BaseException:
        for path in temporary.glob("*"):
            path.unlink()
        temporary.rmdir()
        raise
    _to_disk(directory.parent)
    return files


def load(directory: Path, *, verify: bool = True) -> TrainingState:
    """Read a checkpoint.

    Args:
        directory: where it lies.
        verify: whether digests are compared; sizes always are.

    Raises:
        CheckpointCorrupt: files are missing or are not what was written.
    """
    _check(directory, (WEIGHTS, TENSORS, FIGURES), verify=verify)
    try:
        model = load_file(directory / WEIGHTS)
        tensors = load_file(directory / TENSORS)
        figures = json.loads((directory / FIGURES).read_text())
        return TrainingState(
            position=Position(**figures["position"]),
            model=model,
            optimizer=_optimizer(tensors),
            schedule=figures["schedule"],
            scaler=figures["scaler"],
            generators=_group(tensors, "generators/"),
            sums=figures["sums"],
            patience=Patience(**figures["patience"]),
            best=figures["best"],
            best_weights=_group(tensors, "best/") if figures["has_best_weights"] else None,
            # Not there in checkpoints from before it was kept.
            ended=tuple(StageEnd(**end) for end in figures.get("ended", ())),
            fingerprint=figures["fingerprint"],
        )
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointCorrupt(f"checkpoint {directory.name!r} cannot be read: {error}") from error


def load_weights(directory: Path, *, verify: bool = True) -> dict[str, Tensor]:
    """Read the model's tensors alone.

    Raises:
        CheckpointCorrupt: the file is missing or is not what was written.
    """
    _check(directory, (WEIGHTS,), verify=verify)
    try:
        return load_file(directory / WEIGHTS)
    except SafetensorError as error:
        raise CheckpointCorrupt(f"checkpoint {directory.name!r} cannot be read: {error}") from error


def _check(directory: Path, names: tuple[str, ...], *, verify: bool) -> None:
    try:
        files: Manifest = json.loads((directory / MANIFEST).read_text())["files"]
        for name in names:
            path = directory / name
            if path.stat().st_size != files[name]["bytes"]:
                raise CheckpointCorrupt(
                    f"{name} of checkpoint {directory.name!r} has {path.stat().st_size} bytes "
                    f"instead of {files[name]['bytes']}"
                )
            if verify and _sha256(path) != files[name]["sha256"]:
                raise CheckpointCorrupt(
                    f"{name} of checkpoint {directory.name!r} is not what was written: its "
                    "sha256 differs"
                )
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CheckpointCorrupt(
            f"checkpoint {directory.name!r} lacks {Path(error.filename).name}"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointCorrupt(
            f"the manifest of checkpoint {directory.name!r} cannot be read: {error}"
        ) from error


def _flat(state: TrainingState) -> Iterator[tuple[str, Tensor]]:
    """Tensors beside the model's, each under one name."""
    for parameter, kept in state.optimizer.items():
        for key, tensor in kept.items():
            yield f"optimizer/{parameter}/{key}", tensor
    for name, tensor in state.generators.items():
        yield f"generators/{name}", tensor
    for name, tensor in (state.best_weights or {}).items():
        yield f"best/{name}", tensor


def _figures(state: TrainingState) -> dict[str, Any]:
    return {
        "position": asdict(state.position),
        "schedule": state.schedule,
        "scaler": state.scaler,
        "sums": state.sums,
        "patience": asdict(state.patience),
        "best": state.best,
        "has_best_weights": state.best_weights is not None,
        "ended": [asdict(end) for end in state.ended],
        "fingerprint": state.fingerprint,
    }


def _group(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _optimizer(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    kept: dict[str, dict[str, Tensor]] = {}
    for name, tensor in _group(tensors, "optimizer/").items():
        parameter, _, key = name.rpartition("/")
        kept.setdefault(parameter, {})[key] = tensor
    return kept


def _save_tensors(
    tensors: Mapping[str, Tensor], path: Path, described: Mapping[str, str] | None
) -> None:
    """Write tensors; the format knows one memory layout only."""
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    try:
        save_file(contiguous, path, metadata=dict(described) if described else None)
        if described:
            _sort_metadata(path)
    except SafetensorError as error:
        code = re.search(r"os error (\d+)", str(error))  # the library hides it in its text
        number = int(code[1]) if code else errno.EIO
        raise OSError(number, os.strerror(number), path.name) from error


def _sort_metadata(path: Path) -> None:
    """Put the head's metadata in order: the library writes them in a random one.

    Without this the same weights have another digest each time.
    """
    with path.open("r+b") as file:
        (length,) = HEAD_LENGTH.unpack(file.read(HEAD_LENGTH.size))
        head = json.loads(file.read(length))
        head["__metadata__"] = dict(sorted(head["__metadata__"].items()))
        text = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) > length:
            raise RuntimeError(f"the head of {path.name} takes {len(text)} bytes, not {length}")
        file.seek(HEAD_LENGTH.size)
        file.write(text.ljust(length))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    """Have the disk hold a file or a directory's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
