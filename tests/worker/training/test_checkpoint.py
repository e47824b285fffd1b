import errno
import json
from pathlib import Path

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


def test_what_is_loaded_is_what_was_saved(state: TrainingState, tmp_path: Path) -> None:
    save(state, tmp_path / "step-6")
    loaded = load(tmp_path / "step-6")
    for name, tensor in state.model.items():
        assert torch.equal(loaded.model[name], tensor)
    assert loaded.optimizer.keys() == state.optimizer.keys()
    for name, kept in state.optimizer.items():
        assert torch.equal(loaded.optimizer[name]["momentum_buffer"], kept["momentum_buffer"])
    assert torch.equal(loaded.generators["cpu"], state.generators["cpu"])
    for field in ("position", "schedule", "scaler", "sums", "patience", "best", "fingerprint"):
        assert getattr(loaded, field) == getattr(state, field), field
    assert (loaded.step, loaded.epoch) == (6, 1)


def test_the_weights_say_what_they_are(
    state: TrainingState, training: Experiment, tmp_path: Path
) -> None:
    save(state, tmp_path / "one", metadata=metadata(training))
    with safe_open(tmp_path / "one" / "weights.safetensors", "pt") as file:
        described = {name: json.loads(text) for name, text in file.metadata().items()}
        names = set(file.keys())
    assert described["class_names"] == list("abcdef")
    assert described["architecture"]["name"] == "vgg_small"
    assert described["architecture"]["widths"] == [4, 4]
    assert described["image_shape"] == [3, 8, 8]
    assert len(described["normalization"]["mean"]) == 3
    assert names == set(training.model.state_dict())
    assert "head.output.weight" in names


def test_the_same_weights_are_the_same_file(
    state: TrainingState, training: Experiment, tmp_path: Path
) -> None:
    """The library writes metadata in a random order: 24 of them with four entries."""
    files = [
        save(state, tmp_path / str(copy), metadata=metadata(training))["weights.safetensors"]
        for copy in range(8)
    ]
    assert all(file == files[0] for file in files)
    with safe_open(tmp_path / "0" / "weights.safetensors", "pt") as file:
        assert file.metadata() == metadata(training)


def test_the_manifest_is_answered(state: TrainingState, tmp_path: Path) -> None:
    files = save(state, tmp_path / "one")
    assert set(files) == {"weights.safetensors", "state.safetensors", "state.json"}
    for name, facts in files.items():
        assert (tmp_path / "one" / name).stat().st_size == facts["bytes"]
        assert len(facts["sha256"]) == 64


@pytest.mark.parametrize("name", ["weights.safetensors", "state.safetensors", "state.json"])
class TestCorruption:
    def test_a_flipped_bit_is_seen(self, state: TrainingState, tmp_path: Path, name: str) -> None:
        save(state, tmp_path / "one")
        path = tmp_path / "one" / name
        content = bytearray(path.read_bytes())
        content[-3] ^= 1
        path.write_bytes(content)
        with pytest.raises(CheckpointCorrupt, match=f"{name} .* sha256 differs"):
            load(tmp_path / "one")

    def test_a_file_cut_short_is_seen_even_without_digests(
        self, state: TrainingState, tmp_path: Path, name: str
    ) -> None:
        save(state, tmp_path / "one")
        path = tmp_path / "one" / name
        path.write_bytes(path.read_bytes()[:-10])
        with pytest.raises(CheckpointCorrupt, match="bytes instead of"):
            load(tmp_path / "one", verify=False)

    def test_a_missing_file_is_seen(self, state: TrainingState, tmp_path: Path, name: str) -> None:
        save(state, tmp_path / "one")
        (tmp_path / "one" / name).unlink()
        with pytest.raises(CheckpointCorrupt, match=f"lacks {name}"):
            load(tmp_path / "one")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"files": {}}'])
def test_a_manifest_that_cannot_be_read_is_seen(
    state: TrainingState, tmp_path: Path, content: str
) -> None:
    save(state, tmp_path / "one")
    (tmp_path / "one" / "manifest.json").write_text(content)
    with pytest.raises(CheckpointCorrupt, match="manifest"):
        load(tmp_path / "one")


def test_no_directory_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointCorrupt, match=r"lacks manifest\.json"):
        load(tmp_path / "none")


def test_the_weights_alone_can_be_read(state: TrainingState, tmp_path: Path) -> None:
    save(state, tmp_path / "one")
    (tmp_path / "one" / "state.json").unlink()
    assert load_weights(tmp_path / "one").keys() == state.model.keys()


def test_a_name_is_taken_once(state: TrainingState, tmp_path: Path) -> None:
    save(state, tmp_path / "one")
    with pytest.raises(FileExistsError):
        save(state, tmp_path / "one")


def test_a_disk_that_is_full_leaves_nothing_behind(
    state: TrainingState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tensor_files.os, "fsync", refuse)
    with pytest.raises(OSError, match="No space left"):
        save(state, tmp_path / "one")
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_system_keeps_its_number_through_the_library(
    state: TrainingState, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="state") as caught:
        tensor_files.save_tensors(state.model, tmp_path / "nowhere" / "state")
    assert caught.value.errno == errno.ENOENT
