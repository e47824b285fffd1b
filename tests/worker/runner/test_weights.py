"""How the inputs of weights were normalised, as their file says."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from worker.runner.weights import _of_file
from worker.training.device_split import Normalization


@pytest.mark.parametrize(
    ("said", "read"),
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
def test_what_cannot_be_used_is_as_if_it_were_not_said(
    tmp_path: Path, said: str, read: Normalization | None
) -> None:
    """Only `of_weights` needs it, and is refused at submission."""
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.ones(2)}, path, metadata={"normalization": said})
    weights = _of_file(path)
    assert weights.normalization == read
    assert list(weights.tensors) == ["a"]
