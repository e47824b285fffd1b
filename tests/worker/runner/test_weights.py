from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from shared.spec import JobSpec
from tests.worker.runner.installation import SPEC, Installation
from worker.registry import SpecError
from worker.runner.weights import load_file, load_initial_weights
from worker.training.device_split import Normalization


@pytest.mark.parametrize(
    ("text", "normalization"),
    [
        (
            '{"mean": [0.5], "deviation": [0.25], "largest": 1}',
            Normalization((0.5,), (0.25,), 1.0),
        ),
        ('{"mean": [0.5], "deviation": [-1]}', None),
        ('{"mean": [], "deviation": []}', None),
        ("nonsense", None),
    ],
)
def test_an_invalid_normalization_in_a_file_is_ignored(
    tmp_path: Path, text: str, normalization: Normalization | None
) -> None:
    """Only `of_weights` needs it, and admission refuses that."""
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.ones(2)}, path, metadata={"normalization": text})
    weights = load_file(path)
    assert weights.normalization == normalization
    assert list(weights.tensors) == ["a"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"upload": "weights_0"}, "The upload weights_0 no longer exists."),
        (
            {"job": "job_0", "checkpoint": "last"},
            "The weights of job job_0 do not exist. The job has no checkpoint 'last'",
        ),
    ],
)
def test_weights_that_do_not_exist_are_a_fault_of_the_specification(
    tmp_path: Path, source: dict[str, str], message: str
) -> None:
    installation = Installation(tmp_path)
    stages = [{"name": "all", "train": "all", "epochs": 1}]
    spec = JobSpec.model_validate({**SPEC, "fine_tuning": {"weights": source, "stages": stages}})
    with pytest.raises(SpecError) as error:
        load_initial_weights(spec, installation.database, installation.storage)
    installation.database.close()
    assert str(error.value).startswith(message)
