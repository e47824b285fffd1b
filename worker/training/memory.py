"""A prediction of the device memory that training takes, from a step without storage.

The step is taken on the meta device, where tensors have shapes and no memory. Axes: N samples,
C channels, H height, W width, M classes.
"""

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from worker.architectures.layers import ImageShape
from worker.registry import losses
from worker.regularizers.regularizer import OnForward, Penalty
from worker.training.head import Head
from worker.training.meta_model import build_on_meta, count_parameters
from worker.training.precision import DTYPES
from worker.training.replay import frozen_statistics
from worker.training.work import WorkCounter

FLOAT_BYTES = 4


@dataclass(frozen=True)
class Update:
    """The memory of an update of the weights, in tensors per weight."""

    #: Kept from update to update.
    slots: int = 0
    #: In use during the update only, when activations are freed.
    temporaries: int = 0


class LiveMemory(TorchDispatchMode):
    """Measures the storage of all tensors that are created under it, as long as they live."""

    def __init__(self, *, ignored: Iterable[Tensor] = ()) -> None:
        super().__init__()
        #: In bytes: at present, and the maximum.
        self.now = self.peak = 0
        self._bytes = {_storage_id(tensor): 0 for tensor in ignored}

    def add(self, tensor: Tensor) -> None:
        """Count a tensor, unless its storage is counted already."""
        storage, identity = tensor.untyped_storage(), _storage_id(tensor)
        if identity in self._bytes:
            return
        self._bytes[identity] = storage.nbytes()
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._remove, identity)

    def _remove(self, identity: int) -> None:
        self.now -= self._bytes.pop(identity)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count the results of an operation. PyTorch calls this for every operation."""
        results = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(results):
            if isinstance(tensor, Tensor):
                self.add(tensor)
        return results


def _storage_id(tensor: Tensor) -> int:
    """Return what identifies a storage, also on the meta device, where none has an address."""
    return tensor.untyped_storage()._cdata  # noqa: SLF001 - storages have no public identity


def measure_optimizer(
    optimizer: Callable[[Iterable[nn.Parameter], float], torch.optim.Optimizer],
) -> Update:
    """Measure an optimizer's update on a small weight."""
    weight = nn.Parameter(torch.zeros(16, 16))
    weight.grad = torch.zeros_like(weight)
    updating = optimizer([weight], 0.1)
    updating.step()
    with LiveMemory() as live:
        updating.step()
    slots = [tensor for tensor in updating.state[weight].values() if tensor.shape == weight.shape]
    return Update(len(slots), live.peak // weight.untyped_storage().nbytes())


def measure_penalty(penalty: Penalty) -> Update:
    """Measure the addition of a penalty's gradient on a small weight."""
    weight, gradient = torch.zeros(16, 16), torch.zeros(16, 16)
    with LiveMemory(ignored=[gradient]) as live:
        penalty.add_gradient([weight], [gradient])
    return Update(temporaries=live.peak // weight.untyped_storage().nbytes())


def predict_memory_mib(
    name: str,
    parameters: Mapping[str, Any],
    image_shape: ImageShape,
    classes: int,
    *,
    batch_size: int,
    updates: Sequence[Update],
    terms: Sequence[OnForward] = (),
    precision: str = "float32",
    head: Head | None = None,
    work: WorkCounter | None = None,
) -> float:
    """Predict the device memory of training, in MiB: weights, optimizer and the step's peak.

    The peak is that of a whole step, with the gradients of the step before, the activations that
    backward needs and the further passes of regularizers. Half precision is estimated with all
    activations in it and one copy of the weights in addition to the float32 weights. The data, the
    libraries' workspaces and CUDA's context come on top.

    Args:
        name: the architecture.
        parameters: its parameters.
        image_shape: channels, height, width.
        classes: the number of classes.
        batch_size: images in a step.
        updates: the update of each stage; the largest counts.
        terms: further terms of the objective, from regularizers.
        precision: float32, bfloat16 or float16.
        head: a new head, in fine-tuning.
        work: counts the work of a step without its update.

    Raises:
        SpecError: the network does not accept these parameters, images or classes.
    """
    dtype = DTYPES[precision]
    model = build_on_meta(name, parameters, image_shape, classes, head)
    counts = count_parameters(model)
    slot_bytes = FLOAT_BYTES * counts["trainable"]
    weight_bytes = FLOAT_BYTES * counts["with_statistics"]
    if dtype is not torch.float32:
        weight_bytes += slot_bytes  # a copy in half, and gradients not in half
    with work or nullcontext():
        step_bytes = _peak_of_step(model.to(dtype), image_shape, batch_size, dtype, terms)
    update_bytes = max(
        update.slots * slot_bytes + max(step_bytes, (1 + update.temporaries) * slot_bytes)
        for update in updates
    )
    return (weight_bytes + update_bytes) / 2**20


def _peak_of_step(
    model: nn.Module,
    image_shape: ImageShape,
    batch_size: int,
    dtype: torch.dtype,
    terms: Sequence[OnForward],
) -> int:
    """Return the largest number of bytes during a step, without the weights."""

    def forward(images_NCHW: Tensor) -> Tensor:
        with frozen_statistics(model):
            return model(images_NCHW.to(dtype)).float()

    model.train()
    for parameter in model.parameters():
        parameter.grad = torch.empty_like(parameter)  # from the step before
    live = LiveMemory(ignored=[*model.parameters(), *model.buffers()])
    for parameter in model.parameters():
        if parameter.grad is not None:
            live.add(parameter.grad)
    with live:
        images_NCHW = torch.empty(batch_size, *image_shape, device="meta")
        labels_N = torch.zeros(batch_size, device="meta", dtype=torch.int64)
        outputs_NM = model(images_NCHW.to(dtype)).float()
        objective = losses.get("cross_entropy").function(outputs_NM, labels_N)
        for term in terms:
            objective = objective + term(forward, images_NCHW, outputs_NM)
        model.zero_grad(set_to_none=True)
        objective.backward()
    return live.peak
