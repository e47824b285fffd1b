"""The input normalization that a file of weights declares in its metadata.

The metadata of the safetensors file contains JSON: `{"mean": […], "deviation": […], "largest":
255}`, with a mean and a deviation for each channel. Inputs are (pixel/largest − mean)/deviation.
Uploaded files may contain anything, so every value is checked.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

#: The key in the metadata of the file.
METADATA_KEY = "normalization"
DEFAULT_LARGEST = 255.0
#: Scale and shift of an input are computed in float32, whose range ends at 3.4e38.
MAX_MAGNITUDE = 1e38


@dataclass(frozen=True)
class InputNormalization:
    """A checked normalization, by channel."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    #: The value by which pixels are divided first.
    largest: float

    @property
    def channels(self) -> int:
        """The number of channels."""
        return len(self.mean)


def parse(text: str) -> InputNormalization:
    """Parse and check the JSON text of a normalization.

    Raises:
        ValueError: inputs cannot be normalized with it; the message begins with "normalization".
    """
    try:
        declared = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("normalization is not JSON") from error
    if not isinstance(declared, dict) or not {"mean", "deviation"} <= set(declared):
        raise ValueError('normalization must be {"mean": […], "deviation": […]}')
    mean, deviation = _read_numbers(declared, "mean"), _read_numbers(declared, "deviation")
    (largest,) = _read_numbers({"largest": [declared.get("largest", DEFAULT_LARGEST)]}, "largest")
    if len(mean) != len(deviation) or not mean:
        raise ValueError(
            f"normalization has {len(mean)} means and {len(deviation)} deviations; it must have "
            "a mean and a deviation for each channel"
        )
    if min(deviation) <= 0 or largest <= 0:
        field = "a deviation" if min(deviation) <= 0 else "largest"
        raise ValueError(f"normalization has {field} that is not greater than 0")
    for middle, width in zip(mean, deviation, strict=True):
        scale = largest * width
        if not 1 / MAX_MAGNITUDE < scale < MAX_MAGNITUDE or abs(middle) / width > MAX_MAGNITUDE:
            raise ValueError("normalization has values outside the range of float32")
    return InputNormalization(mean, deviation, largest)


def _read_numbers(declared: dict[str, Any], field: str) -> tuple[float, ...]:
    values = declared[field]
    if not isinstance(values, list) or any(type(value) not in (int, float) for value in values):
        raise ValueError(f"normalization's {field} is not a list of numbers")
    try:
        numbers = tuple(map(float, values))
    except OverflowError as error:
        raise ValueError(f"normalization's {field} is too large") from error
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"normalization's {field} is not finite")
    return numbers
