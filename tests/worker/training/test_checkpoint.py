"""Checkpoints on disk: complete, reproducible, and checked when they are read."""

import errno
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from tests.worker.experiments import experiment, vgg
from worker.training import tensor_files
from worker.training.checkpoint import CheckpointCorrupt, load, load_weights, metadata, save
from worker.training.experiment import Experiment
from worker.training.fit import fit
from worker.training.reports import Stepped
from worker.training.state import TrainingState


@pytest.fixture
def training() -> Experiment:
    return experiment(architecture=vgg())


@pytest.fixture
def state(training: Experiment) -> TrainingState:
    for report in fit(training):
        if isinstance(report, Stepped) and report.step == 6:
            return report.snapshot()
    raise AssertionError


def test_loaded_state_equals_the_saved_state(state: TrainingState, tmp_path: Path) -> None:
    save(state, tmp_path / "step-6")
    loaded = load(tmp_path / "step-6")
    for name, tensor in state.model.items():
        assert torch.equal(loaded.model[name], tensor)
    assert loaded.optimizer.keys() == state.optimizer.keys()
    for name, tensors in state.optimizer.items():
        momentum = loaded.optimizer[name]["momentum_buffer"]
        assert torch.equal(momentum, tensors["momentum_buffer"])
    assert torch.equal(loaded.generators["cpu"], state.generators["cpu"])
    for field in ("position", "schedule", "scaler", "sums", "patience", "best", "fingerprint"):
        assert getattr(loaded, field) == getattr(state, field), field
    assert (loaded.step, loaded.epoch) == (6, 1)


def test_weights_file_describes_its_network(
    state: TrainingState, training: Experiment, tmp_path: Path
) -> None:
    save(state, tmp_path / "checkpoint", metadata=metadata(training))
    with safe_open(tmp_path / "checkpoint" / "weights.safetensors", "pt") as file:
        metadata_values = {name: json.loads(text) for name, text in file.metadata().items()}
        names = set(file.keys())
    assert metadata_values["class_names"] == list("abcdef")
    assert metadata_values["architecture"]["name"] == "vgg_small"
    assert metadata_values["architecture"]["widths"] == [4, 4]
    assert metadata_values["image_shape"] == [3, 8, 8]
    assert len(metadata_values["normalization"]["mean"]) == 3
    assert names == set(training.model.state_dict())
    assert "head.output.weight" in names


def test_same_weights_give_the_same_file(
    state: TrainingState, training: Experiment, tmp_path: Path
) -> None:
    """The library writes the four entries of the metadata in a random order."""
    files = [
        save(state, tmp_path / str(copy), metadata=metadata(training))["weights.safetensors"]
        for copy in range(8)
    ]
    assert all(file == files[0] for file in files)
    with safe_open(tmp_path / "0" / "weights.safetensors", "pt") as file:
        assert file.metadata() == metadata(training)


def test_save_returns_the_manifest(state: TrainingState, tmp_path: Path) -> None:
    files = save(state, tmp_path / "checkpoint")
    assert set(files) == {"weights.safetensors", "state.safetensors", "state.json"}
    for name, facts in files.items():
        assert (tmp_path / "checkpoint" / name).stat().st_size == facts["bytes"]
        assert len(facts["sha256"]) == 64


@pytest.mark.parametrize("name", ["weights.safetensors", "state.safetensors", "state.json"])
class TestCorruption:
    def test_flipped_bit_is_found(self, state: TrainingState, tmp_path: Path, name: str) -> None:
        save(state, tmp_path / "checkpoint")
        path = tmp_path / "checkpoint" / name
        content = bytearray(path.read_bytes())
        content[-3] ^= 1
        path.write_bytes(content)
        with pytest.raises(CheckpointCorrupt, match=f"{name} .* sha256 differs"):
            load(tmp_path / "checkpoint")

    def test_truncated_file_is_found_even_without_digests(
        self, state: TrainingState, tmp_path: Path, name: str
    ) -> None:
        save(state, tmp_path / "checkpoint")
        path = tmp_path / "checkpoint" / name
        path.write_bytes(path.read_bytes()[:-10])
        with pytest.raises(CheckpointCorrupt, match="bytes instead of"):
            load(tmp_path / "checkpoint", verify=False)

    def test_missing_file_is_found(self, state: TrainingState, tmp_path: Path, name: str) -> None:
        save(state, tmp_path / "checkpoint")
        (tmp_path / "checkpoint" / name).unlink()
        with pytest.raises(CheckpointCorrupt, match=f"lacks {name}"):
            load(tmp_path / "checkpoint")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"files": {}}'])
def test_unreadable_manifest_is_found(state: TrainingState, tmp_path: Path, content: str) -> None:
    save(state, tmp_path / "checkpoint")
    (tmp_path / "checkpoint" / "manifest.json").write_text(content)
    with pytest.raises(CheckpointCorrupt, match="manifest"):
        load(tmp_path / "checkpoint")


def test_checkpoint_of_an_earlier_version_can_be_read(state: TrainingState, tmp_path: Path) -> None:
    """Its stages have a reason, and no epochs."""
    save(state, tmp_path / "checkpoint")
    ended = [{"stage": "warm_up", "reason": "epochs", "restored": False}]
    _rewrite_state(tmp_path / "checkpoint", ended=ended)
    (end,) = load(tmp_path / "checkpoint").ended
    assert (end.stage, end.reason, end.text) == ("warm_up", "epochs", "finished")


def _rewrite_state(directory: Path, **fields: Any) -> None:
    path, manifest_path = directory / "state.json", directory / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    manifest = json.loads(manifest_path.read_text())
    manifest["files"]["state.json"] = {
        "bytes": path.stat().st_size,
        "sha256": tensor_files.sha256_of(path),
    }
    manifest_path.write_text(json.dumps(manifest))


def test_missing_directory_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CheckpointCorrupt, match=r"no longer exists"):
        load(tmp_path / "none")


def test_weights_can_be_read_alone(state: TrainingState, tmp_path: Path) -> None:
    save(state, tmp_path / "checkpoint")
    (tmp_path / "checkpoint" / "state.json").unlink()
    assert load_weights(tmp_path / "checkpoint").keys() == state.model.keys()


def test_existing_checkpoint_is_never_overwritten(state: TrainingState, tmp_path: Path) -> None:
    save(state, tmp_path / "checkpoint")
    with pytest.raises(FileExistsError):
        save(state, tmp_path / "checkpoint")


def test_full_disk_leaves_nothing_behind(
    state: TrainingState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tensor_files.os, "fsync", refuse)
    with pytest.raises(OSError, match="No space left"):
        save(state, tmp_path / "checkpoint")
    assert list(tmp_path.iterdir()) == []


def test_operating_system_error_keeps_its_number_through_the_library(
    state: TrainingState, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="state") as caught:
        tensor_files.save_tensors(state.model, tmp_path / "nowhere" / "state")
    assert caught.value.errno == errno.ENOENT
