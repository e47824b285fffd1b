"""What a training will take of a device, found by taking a step without storage.

Everything is on the meta device, where tensors have shapes and no memory. Axes: N samples,
C channels, H height, W width, M classes.
"""

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from worker.training.replay import unrecorded

FLOAT_BYTES = 4
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Update:
    """What changing the weights takes, in tensors for each of them."""

    #: Kept from update to update.
    slots: int = 0
    #: There during the update alone, when activations are gone.
    temporaries: int = 0


class Live(TorchDispatchMode):
    """Adds up the storage of every tensor made under it, as long as it lives."""

    def __init__(self, *, but: Iterable[Tensor] = ()) -> None:
        super().__init__()
        #: In bytes: now, and the most there was.
        self.now = self.peak = 0
        self._bytes = {_address(tensor): 0 for tensor in but}

    def add(self, tensor: Tensor) -> None:
        """Count a tensor, unless its storage is counted already."""
        storage, address = tensor.untyped_storage(), _address(tensor)
        if address in self._bytes:
            return
        self._bytes[address] = storage.nbytes()
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._remove, address)

    def _remove(self, address: int) -> None:
        self.now -= self._bytes.pop(address)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called by PyTorch for every operation."""
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self.add(tensor)
        return made


def _address(tensor: Tensor) -> int:
    """What tells one storage from another, also on the meta device, where none has memory."""
    return tensor.untyped_storage()._cdata  # noqa: SLF001 - storages have no public identity


def of_optimizer(
    optimizer: Callable[[Iterable[nn.Parameter], float], torch.optim.Optimizer],
) -> Update:
    """What an optimizer takes, seen on a small weight."""
    weight = nn.Parameter(torch.zeros(16, 16))
    weight.grad = torch.zeros_like(weight)
    updating = optimizer([weight], 0.1)
    updating.step()
    with Live() as live:
        updating.step()
    kept = [tensor for tensor in updating.state[weight].values() if tensor.shape == weight.shape]
    return Update(len(kept), live.peak // weight.untyped_storage().nbytes())


def of_penalty(penalty: Penalty) -> Update:
    """What adding a penalty's gradient takes, seen on a small weight."""
    weight, gradient = torch.zeros(16, 16), torch.zeros(16, 16)
    with Live(but=[gradient]) as live:
        penalty.add_gradient([weight], [gradient])
    return Update(temporaries=live.peak // weight.untyped_storage().nbytes())


def memory_mib(
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
) -> float:
    """Device memory that training will take, in MiB: weights, optimizer and the step's peak.

    The peak is that of a whole step, with the gradients of the one before, the activations that
    backward needs and the further passes of regularizers. Half precision is estimated with
    every activation in it and one copy of the weights beside the float32 ones. The data, the
    libraries' workspaces and CUDA's context come on top.

    Args:
        name: the architecture.
        parameters: its parameters.
        image_shape: channels, height, width.
        classes: how many classes there are.
        batch_size: images a step.
        updates: what an update takes in each stage; the largest counts.
        terms: further terms of the objective, by regularizers.
        precision: float32, bfloat16 or float16.
        head: a new head, in fine-tuning.

    Raises:
        ValueError: the network does not admit this.
    """
    dtype = PRECISIONS[precision]
    model = build_on_meta(name, parameters, image_shape, classes, head)
    sizes = count_parameters(model)
    one = FLOAT_BYTES * sizes["trainable"]
    weights = FLOAT_BYTES * sizes["with_statistics"]
    if dtype is not torch.float32:
        weights += FLOAT_BYTES * sizes["trainable"]  # a copy in half, and gradients not in half
    step = _peak_of_step(model.to(dtype), image_shape, batch_size, dtype, terms)
    largest = max(
        update.slots * one + max(step, (1 + update.temporaries) * one) for update in updates
    )
    return (weights + largest) / 2**20


def _peak_of_step(
    model: nn.Module,
    image_shape: ImageShape,
    batch_size: int,
    dtype: torch.dtype,
    terms: Sequence[OnForward],
) -> int:
    """Bytes at the fullest moment of a step, the weights themselves left out."""

    def forward(images_NCHW: Tensor) -> Tensor:
        with unrecorded(model):
            return model(images_NCHW.to(dtype)).float()

    model.train()
    for parameter in model.parameters():
        parameter.grad = torch.empty_like(parameter)  # from the step before
    live = Live(but=[*model.parameters(), *model.buffers()])
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
