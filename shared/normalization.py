"""What a file of weights says of how its inputs were normalised: read with suspicion.

`{"mean": [one a channel], "deviation": [one a channel], "largest": 255}` as JSON, in the metadata
of a safetensors file; inputs are (pixel/largest − mean)/deviation.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

#: The key in a file's metadata.
METADATA_KEY = "normalization"
DEFAULT_LARGEST = 255.0
#: Scale and shift of an input are computed in float32, which holds a little more than this.
BOUND = 1e38


@dataclass(frozen=True)
class InputNormalization:
    """What was said, as figures that can be used."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    #: What a pixel is divided by first.
    largest: float

    @property
    def channels(self) -> int:
        """For how many channels it is."""
        return len(self.mean)


def parse(text: str) -> InputNormalization:
    """Read and check the text of `normalization`.

    Raises:
        ValueError: no input can be normalised so; the text begins with the word normalization.
    """
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("normalization is not JSON") from error
    if not isinstance(given, dict) or not {"mean", "deviation"} <= set(given):
        raise ValueError('normalization is not {"mean": […], "deviation": […]}')
    mean, deviation = _numbers(given, "mean"), _numbers(given, "deviation")
    (largest,) = _numbers({"largest": [given.get("largest", DEFAULT_LARGEST)]}, "largest")
    if len(mean) != len(deviation) or not mean:
        raise ValueError(
            f"normalization has {len(mean)} means and {len(deviation)} deviations; "
            "there has to be one of each for every channel"
        )
    if min(deviation) <= 0 or largest <= 0:
        what = "a deviation" if min(deviation) <= 0 else "largest"
        raise ValueError(f"normalization has {what} that is not more than 0")
    for middle, width in zip(mean, deviation, strict=True):
        scale = largest * width
        if not 1 / BOUND < scale < BOUND or abs(middle) / width > BOUND:
            raise ValueError("normalization has figures that float32 does not hold")
    return InputNormalization(mean, deviation, largest)


def _numbers(given: dict[str, Any], field: str) -> tuple[float, ...]:
    values = given[field]
    if not isinstance(values, list) or any(type(one) not in (int, float) for one in values):
        raise ValueError(f"normalization's {field} is not a list of numbers")
    try:
        numbers = tuple(float(one) for one in values)
    except OverflowError as error:
        raise ValueError(f"normalization's {field} is larger than any number") from error
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"normalization's {field} is not finite")
    return numbers
