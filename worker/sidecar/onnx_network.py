"""A trained network as an ONNX file, compared with the original on the same inputs.

The file takes what users have: uint8 pixels, or the values of a table's columns. Normalization is
part of the graph, and the outputs are probabilities, or targets in their own unit.

Axes: N samples, C channels or columns, H height, W width, M classes.
"""

import json
import warnings
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from worker.sidecar.predictor import CPU, Predictor

#: The largest difference of a probability, or of a target in its standard deviations, with which a
#: file is handed out.
TOLERANCE = 1e-3
#: A network that is very sensitive to rounding may differ more: by this multiple of the difference
#: between its own outputs in float32 and in float64.
ROUNDING_ERRORS = 10
#: Samples of the comparison.
SAMPLES = 8


class ExportRefused(Exception):
    """The network cannot be exported."""


class _WholeNetwork(nn.Module):
    """A network, what comes before it and what comes after it."""

    def __init__(self, predictor: Predictor, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.model = predictor.model
        self._dtype = dtype
        self._predictor = predictor
        scale_C, shift_C = predictor.normalization.on(CPU)
        self._scale_C11, self._shift_C11 = scale_C[:, None, None], shift_C[:, None, None]

    def forward(self, inputs: Tensor) -> Tensor:
        """Return probabilities [N, M], or targets [N, 1] in float64.

        Args:
            inputs: uint8 pixels [N, C, H, W], or columns of a table [N, C] in float64.
        """
        if self._predictor.features:
            normalized = self._predictor.normalization.applied(inputs[:, :, None, None])
        else:
            normalized = inputs.float() * self._scale_C11 + self._shift_C11
        outputs_NM = self.model(normalized.to(self._dtype))
        if self._predictor.class_names:
            return outputs_NM.softmax(1)
        return self._predictor.target_scale.unscaled(outputs_NM)


def export_network(predictor: Predictor, path: Path) -> float:
    """Write an ONNX file and return the largest difference of its outputs from the network's.

    Args:
        predictor: the network.
        path: the file to write.

    Raises:
        ExportRefused: the network has operations that ONNX lacks, or the outputs differ.
    """
    samples = _samples(predictor)
    is_table, is_classification = bool(predictor.features), bool(predictor.class_names)
    source, target = "rows" if is_table else "images", "values"
    target = "probabilities" if is_classification else target
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # The exporter that is newer (dynamo) takes three to six times as long.
            torch.onnx.export(
                _WholeNetwork(predictor).eval(),
                (samples[:2],),
                path,
                input_names=[source],
                output_names=[target],
                dynamic_axes={source: {0: "N"}, target: {0: "N"}},
                dynamo=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise ExportRefused(f"The network cannot be converted to ONNX: {reason}") from error
    _describe(predictor, path)
    return _compare(predictor, samples, path)


def _samples(predictor: Predictor) -> Tensor:
    """Return inputs for the comparison: black, white and random pixels, or random rows."""
    generator = torch.Generator().manual_seed(0)
    if predictor.features:
        mean_C = torch.tensor(predictor.normalization.mean, dtype=torch.float64)
        deviation_C = torch.tensor(predictor.normalization.deviation, dtype=torch.float64)
        shape = (SAMPLES, len(mean_C))
        noise_NC = torch.randn(shape, generator=generator, dtype=torch.float64)
        return (mean_C + deviation_C * noise_NC) * predictor.normalization.largest
    shape = (SAMPLES, *predictor.image_shape)
    pixels_NCHW = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    pixels_NCHW[0], pixels_NCHW[1] = 0, 255
    return pixels_NCHW


def _describe(predictor: Predictor, path: Path) -> None:
    """Write the names of classes and columns into the file."""
    network = onnx.load(path)
    values = {"class_names": predictor.class_names, "features": predictor.features}
    onnx.helper.set_model_props(network, {name: json.dumps(list(v)) for name, v in values.items()})
    onnx.save(network, path)


def _compare(predictor: Predictor, samples: Tensor, path: Path) -> float:
    """Return the largest difference of the file's outputs.

    Raises:
        ExportRefused: it is larger than allowed, or outputs are not finite.
    """
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    exported_NM = session.run(None, {session.get_inputs()[0].name: samples.numpy()})[0]
    inputs_NCHW = samples[:, :, None, None] if predictor.features else samples
    outputs_NM = predictor.outputs(inputs_NCHW)
    unit = 1.0 if predictor.class_names else predictor.target_scale.deviation
    original_NM = outputs_NM.softmax(1) if predictor.class_names else outputs_NM
    difference = float(np.abs(exported_NM - original_NM.numpy()).max())
    if not np.isfinite(difference):
        raise ExportRefused(
            "The outputs of the network are not finite. Use a checkpoint from before the training "
            "diverged."
        )
    allowed = TOLERANCE * unit
    if difference > allowed:
        rounding_error = float((original_NM - _in_float64(predictor, samples)).abs().max())
        allowed = max(allowed, ROUNDING_ERRORS * rounding_error)
    if difference > allowed:
        raise ExportRefused(
            f"The ONNX file's outputs differ from the network's by up to {difference:.2g}; at most "
            f"{allowed:.2g} is allowed."
        )
    return difference


def _in_float64(predictor: Predictor, samples: Tensor) -> Tensor:
    """Return the outputs of the network in float64."""
    exact = replace(predictor, model=deepcopy(predictor.model).double())
    with torch.inference_mode():
        return _WholeNetwork(exact, torch.float64)(samples)
