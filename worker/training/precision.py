"""The arithmetic of forward passes: float32, or half precision where autocast considers it safe."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
from torch.amp.grad_scaler import GradScaler

Precision = Literal["float32", "bfloat16", "float16"]
DTYPES: Mapping[str, torch.dtype] = MappingProxyType(
    {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
)


@dataclass(frozen=True)
class Arithmetic:
    """How the forward pass is computed on a device. Weights and sums stay in float32."""

    precision: Precision
    device: torch.device

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context of a forward pass."""
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, DTYPES[self.precision])

    def scaler(self) -> GradScaler:
        """Return a scaler of the loss that keeps float16's small gradients from vanishing.

        In other precisions it does nothing.

        Source: Micikevicius et al. 2017, arXiv:1710.03740, section 3.2.
        """
        return GradScaler(self.device.type, enabled=self.precision == "float16")
