"""A `TrainingState` as a directory of files, without pickle. It exists completely or not at all.

weights.safetensors   the model's tensors by their own names; what users download
state.safetensors     tensors of the optimizer, generators, best weights of early stopping
state.json            the rest: counters, sums, best values
manifest.json         bytes and sha256 of each file; written last
"""

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from worker.training.experiment import Experiment
from worker.training.optimizer_state import OptimizerState
from worker.training.selection import Patience
from worker.training.stage_end import StageEnd
from worker.training.state import Position, TrainingState
from worker.training.tensor_files import save_tensors, sha256_of, sync

WEIGHTS = "weights.safetensors"
TENSORS = "state.safetensors"
STATE = "state.json"
MANIFEST = "manifest.json"
FORMAT = 1
#: In checkpoints of earlier versions, the end of a stage has no epochs.
_UNKNOWN_EPOCHS = {"epoch": 0, "stage_epochs": 0, "planned_epochs": 0}

Manifest = dict[str, dict[str, Any]]


class CheckpointCorrupt(Exception):
    """The files of a checkpoint are missing or differ from what was written."""


def metadata(experiment: Experiment) -> dict[str, str]:
    """Return what is needed to use the weights without the job, as JSON strings."""
    normalization = experiment.normalization
    values = {
        "architecture": dict(experiment.architecture),
        "class_names": list(experiment.class_names),
        "image_shape": list(experiment.splits.train.images.shape[1:]),
        "normalization": {
            "mean": list(normalization.mean),
            "deviation": list(normalization.deviation),
            "largest": normalization.largest,
        },
    }
    if experiment.features:
        values["features"] = list(experiment.features)
    if not experiment.class_names:
        values["target_normalization"] = asdict(experiment.target_scale)
    return {name: json.dumps(value) for name, value in values.items()}


def save(
    state: TrainingState, directory: Path, *, metadata: Mapping[str, str] | None = None
) -> Manifest:
    """Write a checkpoint. Once this returns, it survives a loss of power.

    Args:
        state: the training state.
        directory: the checkpoint's directory, which must not exist; its parent is created.
        metadata: goes into the header of the file of weights, see `metadata`.

    Returns:
        `{file: {"bytes", "sha256"}}`.

    Raises:
        FileExistsError: the directory exists.
        OSError: the disk does not take it; nothing is left behind.
    """
    if directory.exists():
        raise FileExistsError(f"The checkpoint {directory.name!r} exists already.")
    directory.parent.mkdir(parents=True, exist_ok=True)
    temporary = directory.with_name(f"{directory.name}.tmp-{secrets.token_hex(6)}")
    temporary.mkdir()
    try:
        save_tensors(state.model, temporary / WEIGHTS, metadata)
        save_tensors(dict(_other_tensors(state)), temporary / TENSORS)
        (temporary / STATE).write_text(json.dumps(_as_json(state), indent=1))
        files: Manifest = {}
        for name in (WEIGHTS, TENSORS, STATE):
            path = temporary / name
            sync(path)
            files[name] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
        manifest = temporary / MANIFEST
        manifest.write_text(json.dumps({"format": FORMAT, "files": files}, indent=1))
        sync(manifest)
        sync(temporary)
        temporary.rename(directory)
    except BaseException:
        for path in temporary.glob("*"):
            path.unlink()
        temporary.rmdir()
        raise
    sync(directory.parent)
    return files


def load(directory: Path, *, verify: bool = True) -> TrainingState:
    """Read a checkpoint.

    Args:
        directory: the checkpoint's directory.
        verify: whether digests are compared; sizes always are.

    Raises:
        CheckpointCorrupt: files are missing or differ from what was written.
    """
    _check(directory, (WEIGHTS, TENSORS, STATE), verify=verify)
    try:
        model = load_file(directory / WEIGHTS)
        tensors = load_file(directory / TENSORS)
        values = json.loads((directory / STATE).read_text())
        return TrainingState(
            position=Position(**values["position"]),
            model=model,
            optimizer=_optimizer(tensors),
            schedule=values["schedule"],
            scaler=values["scaler"],
            generators=_group(tensors, "generators/"),
            sums=values["sums"],
            patience=Patience(**values["patience"]),
            best=values["best"],
            best_weights=_group(tensors, "best/") if values["has_best_weights"] else None,
            ended=tuple(StageEnd(**_UNKNOWN_EPOCHS | end) for end in values["ended"]),
            fingerprint=values["fingerprint"],
        )
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(directory, error) from error


def load_weights(directory: Path, *, verify: bool = True) -> dict[str, Tensor]:
    """Read only the model's tensors of a checkpoint.

    Raises:
        CheckpointCorrupt: the file is missing or differs from what was written.
    """
    _check(directory, (WEIGHTS,), verify=verify)
    try:
        return load_file(directory / WEIGHTS)
    except SafetensorError as error:
        raise _unreadable(directory, error) from error


def _unreadable(directory: Path, error: Exception) -> CheckpointCorrupt:
    return CheckpointCorrupt(f"The checkpoint {directory.name!r} cannot be read: {error}")


def _check(directory: Path, names: tuple[str, ...], *, verify: bool) -> None:
    checkpoint = f"checkpoint {directory.name!r}"
    try:
        files: Manifest = json.loads((directory / MANIFEST).read_text())["files"]
        for name in names:
            path = directory / name
            size = path.stat().st_size
            if size != files[name]["bytes"]:
                raise CheckpointCorrupt(
                    f"{name} of {checkpoint} has {size} bytes instead of {files[name]['bytes']}."
                )
            if verify and sha256_of(path) != files[name]["sha256"]:
                raise CheckpointCorrupt(
                    f"{name} of {checkpoint} has changed since it was written: its sha256 differs."
                )
    except (FileNotFoundError, NotADirectoryError) as error:
        if not directory.is_dir():
            raise CheckpointCorrupt(f"The {checkpoint} no longer exists.") from error
        name = Path(error.filename).name
        raise CheckpointCorrupt(f"The {checkpoint} lacks {name}.") from error
    except OSError as error:  # a bad sector, for example
        raise CheckpointCorrupt(f"The {checkpoint} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointCorrupt(f"The manifest of {checkpoint} cannot be read: {error}") from error


def _other_tensors(state: TrainingState) -> Iterator[tuple[str, Tensor]]:
    """Yield all tensors apart from the model's, each under one name."""
    for parameter, tensors in state.optimizer.items():
        for key, tensor in tensors.items():
            yield f"optimizer/{parameter}/{key}", tensor
    for name, tensor in state.generators.items():
        yield f"generators/{name}", tensor
    for name, tensor in (state.best_weights or {}).items():
        yield f"best/{name}", tensor


def _as_json(state: TrainingState) -> dict[str, Any]:
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


def _optimizer(tensors: Mapping[str, Tensor]) -> OptimizerState:
    state: OptimizerState = {}
    for name, tensor in _group(tensors, "optimizer/").items():
        parameter, _, key = name.rpartition("/")
        state.setdefault(parameter, {})[key] = tensor
    return state
