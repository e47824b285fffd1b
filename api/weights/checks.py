"""Checks of a complete weights file: whether a job could start from its tensors."""

import re
from collections.abc import Mapping
from pathlib import Path

from api.weights.header import ELEMENT_BYTES, Header, TensorInfo
from shared import normalization
from shared.errors import BadWeights

#: Bytes that are checked at once; a multiple of every element's size.
CHUNK_BYTES = 4 * 2**20
#: The types of weights, with the two most significant bytes, without the sign, of the smallest
#: value that is refused: infinity, or for F64 2**128, which is beyond float32.
WEIGHT_TYPES: dict[str, tuple[int, int]] = {
    "F32": (0x7F, 0x80),
    "BF16": (0x7F, 0x80),
    "F16": (0x7C, 0x00),
    "F64": (0x47, 0xF0),
}
#: Batch counters are integers and have no effect.
BATCH_COUNTER = "num_batches_tracked"
SIGN = 0x80


def check_weights(path: Path, header: Header) -> None:
    """Refuse a file that no job could start from. Reads the whole file.

    Raises:
        BadWeights: The file has no tensors, a value that is not finite, or an invalid
            normalization.
    """
    if not header.tensors:
        raise BadWeights("The file has no tensors.")
    try:
        read_normalization(header)
    except ValueError as error:
        raise BadWeights(f"The file's {error}.") from error
    with path.open("rb") as file:
        for name, tensor in header.tensors.items():
            if tensor.dtype not in WEIGHT_TYPES:
                continue
            file.seek(header.data_begin + tensor.begin)
            remaining_bytes = tensor.end - tensor.begin
            while remaining_bytes:
                chunk = file.read(min(CHUNK_BYTES, remaining_bytes))
                remaining_bytes -= len(chunk)
                if not is_finite(chunk, tensor.dtype):
                    raise BadWeights(
                        f"The tensor {name!r} has a value that is not finite or exceeds the range "
                        "of float32. Use weights from before the training diverged."
                    )


def is_finite(chunk: bytes, dtype: str) -> bool:
    """Return whether all values of a tensor's bytes are finite in float32.

    Looks at the bytes of the exponents, which is a hundred times as fast as decoding the numbers
    without numpy. Weights are far below the limit, so the exact comparison is hardly ever needed.
    """
    width, limit = ELEMENT_BYTES[dtype], WEIGHT_TYPES[dtype]
    highest = chunk[width - 1 :: width]
    if not _at_least(limit[0]).search(highest):
        return True
    second = chunk[width - 2 :: width]
    return all((h & ~SIGN, s) < limit for h, s in zip(highest, second, strict=True))


def read_normalization(header: Header) -> normalization.InputNormalization | None:
    """Return how the inputs of the weights are normalized, or None if the file does not state it.

    Raises:
        ValueError: The statement is invalid.
    """
    text = header.metadata.get(normalization.METADATA_KEY)
    return None if text is None else normalization.parse(text)


def find_wrong_type(tensors: Mapping[str, TensorInfo]) -> str | None:
    """Return the name of the first tensor of a type that no weight has, if there is any."""
    for name, tensor in tensors.items():
        if tensor.dtype not in WEIGHT_TYPES and not name.endswith(BATCH_COUNTER):
            return name
    return None


def _at_least(least: int) -> re.Pattern[bytes]:
    """Return a pattern for highest bytes that, without their sign, are at least `least`."""
    most = SIGN - 1
    return re.compile(
        b"[%b-%b%b-%b]"
        % tuple(re.escape(bytes([b])) for b in (least, most, SIGN | least, SIGN | most))
    )
