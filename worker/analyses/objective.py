"""The objective of a job on fixed samples, with its gradient and products with its Hessian.

J(θ) = data loss + Ω, in evaluation mode: running statistics of batch norm, no dropout, no
augmentation, no mixed or smoothed targets, no VAT. θ are the weights that the stage trains.
Axes: N samples, P parameters.
"""

from collections.abc import Iterator, Sequence
from copy import copy, deepcopy

import torch
from torch import Tensor, nn
from torch.autograd import grad

from worker.analyses.subject import Subject
from worker.training.freezing import freeze
from worker.training.penalties import Penalties

#: Networks up to this size are analysed in float64.
MAX_DOUBLE_PARAMETERS = 200_000
#: Pixels of a channel in a chunk: second derivatives keep several times a step's activations.
CHUNK_PIXELS = {"cpu": 2**15, "cuda": 2**19}
MIN_CHUNK = 8


def precision_of(parameters: int) -> torch.dtype:
    """Return the precision in which a network of so many parameters is analysed."""
    return torch.float64 if parameters <= MAX_DOUBLE_PARAMETERS else torch.float32


def chunk_size(height: int, width: int, device_type: str) -> int:
    """Return how many samples pass through the network at once."""
    pixels = CHUNK_PIXELS.get(device_type, CHUNK_PIXELS["cpu"])
    return max(MIN_CHUNK, pixels // (height * width))


class Objective:
    """J as a function of the weights of a copy of the network; the experiment is not changed.

    Args:
        subject: the network and its data.
        samples_N: indices into the training split, int64.
        dtype: of the computation; None chooses by the size of the network.
        samples_per_chunk: that pass through the network at once; None chooses by their size.
    """

    def __init__(
        self,
        subject: Subject,
        samples_N: Tensor,
        *,
        dtype: torch.dtype | None = None,
        samples_per_chunk: int | None = None,
    ) -> None:
        experiment = subject.experiment
        model = deepcopy(experiment.model)
        freeze(model, subject.stage.first)
        count = sum(p.numel() for p in model.parameters() if p.requires_grad)
        self.dtype = precision_of(count) if dtype is None else dtype
        self.model: nn.Module = model.to(self.dtype).eval()
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self._subject = subject
        self._split = experiment.on_device(experiment.splits.train)
        self._penalties = Penalties(self.model, experiment.regularizers)
        self._chunk = samples_per_chunk or chunk_size(
            self._split.height, self._split.width, experiment.device.type
        )
        self.samples_N = samples_N.to(experiment.device)

    @property
    def size(self) -> int:
        """The number of parameters, P."""
        return sum(parameter.numel() for parameter in self.parameters)

    def on(self, samples_N: Tensor) -> "Objective":
        """Return the objective of the same weights on other samples."""
        other = copy(self)
        other.samples_N = samples_N.to(self.samples_N.device)
        return other

    def folds(self, count: int) -> list["Objective"]:
        """Return objectives on disjoint parts of the samples, by their position modulo `count`."""
        return [self.on(self.samples_N[start::count]) for start in range(count)]

    @torch.no_grad()
    def value(self) -> tuple[float, float]:
        """Return the data loss and Ω."""
        data_loss = sum(
            (weight * self._loss(inputs, targets)).item()
            for inputs, targets, weight in self._chunks()
        )
        return data_loss, self._penalties.number()

    def gradient(self) -> Tensor:
        """Return dJ/dθ, [P]."""
        totals = [torch.zeros_like(parameter) for parameter in self.parameters]
        for inputs, targets, weight in self._chunks():
            loss = weight * self._loss(inputs, targets)
            _add(totals, grad(loss, self.parameters, materialize_grads=True))
        for parameter, total in zip(self.parameters, totals, strict=True):
            parameter.grad = total
        self._penalties.add_gradients()
        gradient_P = _flat(totals)
        for parameter in self.parameters:
            parameter.grad = None
        return gradient_P

    def product(self, vector_P: Tensor) -> Tensor:
        """Return the product of the Hessian of J with a vector, [P].

        Pearlmutter 1994, Fast exact multiplication by the Hessian: the derivative of ⟨dJ/dθ, v⟩.
        """
        vectors = self._like_parameters(vector_P)
        totals = [torch.zeros_like(parameter) for parameter in self.parameters]
        for inputs, targets, weight in self._chunks():
            loss = weight * self._loss(inputs, targets)
            gradients = grad(loss, self.parameters, create_graph=True, materialize_grads=True)
            along = torch.stack(
                [(g * v).sum() for g, v in zip(gradients, vectors, strict=True)]
            ).sum()
            if along.requires_grad:  # not where the gradient is constant, as in a sum of |errors|
                _add(totals, grad(along, self.parameters, materialize_grads=True))
        self._penalties.add_hessian_product(
            dict(zip(self.parameters, vectors, strict=True)),
            dict(zip(self.parameters, totals, strict=True)),
        )
        return _flat(totals)

    def _loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        experiment = self._subject.experiment
        return (experiment.training_loss or experiment.loss)(self.model(inputs), targets)

    def _chunks(self) -> Iterator[tuple[Tensor, Tensor, float]]:
        """Yield inputs, targets and the share of J that each chunk has."""
        class_weights_M = self._subject.experiment.class_weights
        parts = self.samples_N.split(self._chunk)
        targets = [self._split.labels_N[part] for part in parts]
        totals = [
            float(len(part)) if class_weights_M is None else class_weights_M[part].sum().item()
            for part in targets
        ]
        total = max(sum(totals), torch.finfo(torch.float32).tiny)
        self._split.announce(parts)
        for part, own in zip(parts, totals, strict=True):
            self._subject.check()
            inputs, labels = self._split.batch(part)
            if labels.is_floating_point():
                labels = labels.to(self.dtype)
            yield inputs.to(self.dtype), labels, own / total

    def _like_parameters(self, vector_P: Tensor) -> list[Tensor]:
        parts = vector_P.split([parameter.numel() for parameter in self.parameters])
        return [
            part.view_as(parameter) for part, parameter in zip(parts, self.parameters, strict=True)
        ]


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def _add(totals: Sequence[Tensor], tensors: Sequence[Tensor]) -> None:
    for total, tensor in zip(totals, tensors, strict=True):
        total.add_(tensor)
