"""A prediction of the memory that an analysis takes, from a chunk of samples without storage."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.autograd import grad

from worker.analyses.lanczos import basis_bytes
from worker.analyses.objective import chunk_size, precision_of
from worker.registry import analyses
from worker.training.freezing import freeze
from worker.training.inference import batch_size_for
from worker.training.memory import FLOAT_BYTES, LiveMemory

#: Networks that an attempt holds from the start: the analysed one, and the job's initial weights.
HELD_NETWORKS = 2


def predict_memory_mib(
    kind: str,
    parameters: Mapping[str, Any],
    model: nn.Module,
    image_shape: tuple[int, int, int],
    *,
    first: str | None,
    train_samples: int,
    batch_size: int,
    is_on_gpu: bool = False,
) -> float:
    """Predict the memory of an analysis in MiB: networks, vectors of weights, and a chunk.

    What the kind needs is given at its registration: `derivatives` (0, 1 or 2) of the objective,
    `networks` that it copies, `vectors` of the size of the trained weights, `vectors_per`, the
    parameter that counts further vectors, and `basis`, the parameter with the number of vectors
    that Lanczos may keep. The data and the libraries come on top.

    Args:
        kind: of the analysis.
        parameters: every parameter of the kind.
        model: on the meta device; it is changed.
        image_shape: channels, height, width.
        first: the first layer that the checkpoint's stage trains; None for all.
        train_samples: in the training split.
        batch_size: of the job; the largest of its stages.
        is_on_gpu: whether chunks have the size that suits a GPU.

    Raises:
        SpecError: no layer has this name.
    """
    facts = analyses.get(kind).facts
    freeze(model, first)
    size = sum(parameter.numel() for parameter in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    network = size + sum(buffer.numel() for buffer in model.buffers())
    dtype = precision_of(trained) if facts["derivatives"] else torch.float32
    device = "cuda" if is_on_gpu else "cpu"
    height, width = image_shape[1:]
    samples = (
        chunk_size(height, width, device)
        if facts["derivatives"]
        else batch_size_for(height, width, device, largest_batch=batch_size)
    )
    samples = min(samples, train_samples, parameters.get("samples") or samples)
    vectors = facts["vectors"] + parameters.get(facts.get("vectors_per", ""), 0)
    needed = HELD_NETWORKS * network * FLOAT_BYTES
    needed += (facts["networks"] * network + vectors * trained) * dtype.itemsize
    if "basis" in facts:
        needed += basis_bytes(parameters[facts["basis"]], trained, dtype.itemsize)
    needed += _peak_of_chunk(model.to(dtype), image_shape, samples, facts["derivatives"])
    return round(needed / 2**20, 1)


def _peak_of_chunk(
    model: nn.Module, image_shape: tuple[int, int, int], samples: int, derivatives: int
) -> int:
    """Return the largest number of bytes during a chunk, without the weights."""
    model.eval()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    dtype = next(model.parameters()).dtype
    live = LiveMemory(ignored=[*model.parameters(), *model.buffers()])
    with live, torch.set_grad_enabled(derivatives > 0):
        images_NCHW = torch.empty(samples, *image_shape, device="meta", dtype=dtype)
        loss = model(images_NCHW).logsumexp(1).sum()
        if derivatives and parameters:
            gradients = grad(loss, parameters, create_graph=derivatives > 1)
            if derivatives > 1:
                along = torch.stack([gradient.sum() for gradient in gradients]).sum()
                grad(along, parameters, materialize_grads=True)
    return live.peak
