"""A prediction of the memory that an analysis takes, from a chunk of samples without storage."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.autograd import grad

from worker.analyses.lanczos import basis_bytes
from worker.analyses.objective import chunk_size, precision_of
from worker.registry import analyses
from worker.training.memory import LiveMemory


def predict_memory_mib(
    kind: str,
    parameters: Mapping[str, Any],
    model: nn.Module,
    image_shape: tuple[int, int, int],
    *,
    is_on_gpu: bool = False,
) -> float:
    """Predict the memory of an analysis in MiB: weights, vectors of their size, and a chunk.

    What the kind needs is given at its registration: `derivatives` (0, 1 or 2) of the objective,
    `vectors` of the size of the weights, and `basis`, the parameter with the number of vectors that
    Lanczos may keep. The data and the libraries come on top.

    Args:
        kind: of the analysis.
        parameters: every parameter of the kind.
        model: on the meta device; it is changed.
        image_shape: channels, height, width.
        is_on_gpu: whether chunks have the size that suits a GPU.
    """
    facts = analyses.get(kind).facts
    size = sum(parameter.numel() for parameter in model.parameters())
    statistics = sum(buffer.numel() for buffer in model.buffers())
    dtype = precision_of(size) if facts["derivatives"] else torch.float32
    samples = chunk_size(*image_shape[1:], "cuda" if is_on_gpu else "cpu")
    samples = min(samples, parameters.get("samples") or samples)
    chunk = _peak_of_chunk(model.to(dtype), image_shape, samples, facts["derivatives"])
    vectors = facts["vectors"] * size * dtype.itemsize
    basis = basis_bytes(parameters[facts["basis"]], size, dtype.itemsize) if "basis" in facts else 0
    return round(((size + statistics) * dtype.itemsize + vectors + basis + chunk) / 2**20, 1)


def _peak_of_chunk(
    model: nn.Module, image_shape: tuple[int, int, int], samples: int, derivatives: int
) -> int:
    """Return the largest number of bytes during a chunk, without the weights."""
    model.eval()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    live = LiveMemory(ignored=[*model.parameters(), *model.buffers()])
    with live, torch.set_grad_enabled(derivatives > 0):
        images_NCHW = torch.empty(samples, *image_shape, device="meta", dtype=parameters[0].dtype)
        loss = model(images_NCHW).logsumexp(1).sum()
        if derivatives:
            gradients = grad(loss, parameters, create_graph=derivatives > 1)
            if derivatives > 1:
                along = torch.stack([gradient.sum() for gradient in gradients]).sum()
                grad(along, parameters, materialize_grads=True)
    return live.peak
