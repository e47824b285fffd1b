"""A trained network read from its file of weights, which says how inputs are prepared.

Axes: N samples, C channels or columns, H height, W width, M classes.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from worker.registry import architectures
from worker.training.device_split import DeviceSplit, Normalization
from worker.training.head import Head, put_new_head
from worker.training.targets import TargetScale
from worker.training.topk import ranking

#: Samples that go through the network at once.
BATCH_SIZE = 32
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Predictor:
    """A network and what its inputs and outputs mean."""

    model: nn.Module
    #: Channels, height, width; of a table: columns, 1, 1.
    image_shape: tuple[int, int, int]
    #: Empty for a regression.
    class_names: tuple[str, ...]
    #: The columns of a table, in the order of the inputs; empty for images.
    features: tuple[str, ...]
    normalization: Normalization
    target_scale: TargetScale

    def outputs(self, inputs_NCHW: Tensor) -> Tensor:
        """Return logits [N, M], or predicted targets [N, 1] in their own unit.

        Args:
            inputs_NCHW: uint8 pixels, or float64 values of a table's columns.
        """
        nothing_N = torch.zeros(len(inputs_NCHW), dtype=torch.int64)
        samples = DeviceSplit(inputs_NCHW, nothing_N, self.normalization, CPU)
        outputs: list[Tensor] = []
        with torch.inference_mode():
            for start in range(0, len(samples), BATCH_SIZE):
                images_NCHW, _ = samples.batch(slice(start, start + BATCH_SIZE))
                outputs.append(self.model(images_NCHW).float())
        outputs_NM = torch.cat(outputs)
        return outputs_NM if self.class_names else self.target_scale.unscaled(outputs_NM)

    def top_k(self, logits_NM: Tensor, k: int) -> list[list[dict[str, Any]]]:
        """Return the most probable classes of each sample, as the evaluation of a job ranks them.

        Where a logit is not finite, the probability is None.
        """
        # The lowest class as label: it decides among equal logits only.
        classes_NK = ranking(logits_NM, torch.zeros(len(logits_NM), dtype=torch.int64))[:, :k]
        probabilities_NK = logits_NM.softmax(1).gather(1, classes_NK)
        return [
            [
                {
                    "class": self.class_names[index],
                    "probability": value if torch.isfinite(torch.tensor(value)) else None,
                }
                for index, value in zip(classes, values, strict=True)
            ]
            for classes, values in zip(classes_NK.tolist(), probabilities_NK.tolist(), strict=True)
        ]


def load_predictor(path: Path) -> Predictor:
    """Read a network from a checkpoint's file of weights.

    Raises:
        SafetensorError: the file is damaged.
        KeyError: an earlier version wrote the file without what is needed here.
    """
    with safe_open(path, framework="pt") as file:
        metadata = {name: json.loads(text) for name, text in (file.metadata() or {}).items()}
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    image_shape = tuple(metadata["image_shape"])
    class_names = tuple(metadata["class_names"])
    architecture = dict(metadata["architecture"])
    name, head = architecture.pop("name"), architecture.pop("head", None)
    outputs = len(class_names) or 1
    with torch.device("meta"):  # initial weights would take longer than reading the trained weights
        model = architectures.get(name).function(image_shape, outputs, **architecture)
        if head is not None:
            put_new_head(model, outputs, Head(**head))
    model.load_state_dict(weights, assign=True)
    stored = metadata["normalization"]
    normalization = Normalization(
        tuple(stored["mean"]), tuple(stored["deviation"]), stored["largest"]
    )
    return Predictor(
        model=model.eval().to(memory_format=torch.channels_last),
        image_shape=image_shape,
        class_names=class_names,
        features=tuple(metadata.get("features", ())),
        normalization=normalization,
        target_scale=TargetScale(**metadata.get("target_normalization", {})),
    )
