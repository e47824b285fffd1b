"""Whether a file that is whole can be fine-tuned from: it says so of itself, tensor by tensor."""

import re
from collections.abc import Mapping
from pathlib import Path

from api.weights.header import SIZES, Header, TensorInfo
from shared import normalization
from shared.errors import BadWeights

#: Bytes that are looked at at once; a multiple of every element's.
CHUNK = 4 * 2**20
#: What a weight may be kept as: by type the least exponent that no weight has, as it lies in
#: the two most significant bytes, without the sign. Of F64 it is 128: float32 holds no more.
WEIGHT_TYPES: dict[str, tuple[int, int]] = {
    "F32": (0x7F, 0x80),
    "BF16": (0x7F, 0x80),
    "F16": (0x7C, 0x00),
    "F64": (0x47, 0xF0),
}
#: Counters of batches decide nothing, and are integers everywhere.
COUNTER = "num_batches_tracked"
SIGN = 0x80


def check(path: Path, header: Header) -> None:
    """Refuse what no training could start from; reads the whole file.

    Raises:
        BadWeights: it holds nothing, a figure that is not finite, or an absurd normalization.
    """
    if not header.tensors:
        raise BadWeights("The file has no tensors, so there is nothing to go on with.")
    try:
        normalization_of(header)
    except ValueError as error:
        raise BadWeights(f"The file's {error}.") from error
    with path.open("rb") as file:
        for name, one in header.tensors.items():
            if one.dtype not in WEIGHT_TYPES:
                continue
            file.seek(header.data_begins + one.begin)
            left = one.end - one.begin
            while left:
                chunk = file.read(min(CHUNK, left))
                left -= len(chunk)
                if not is_finite(chunk, one.dtype):
                    raise BadWeights(
                        f"The tensor {name!r} has a value that is not finite, or larger than "
                        "float32 holds; take weights from before the training diverged."
                    )


def is_finite(chunk: bytes, dtype: str) -> bool:
    """Whether all values of a tensor's bytes are finite in float32.

    Exponents are looked at where they lie: a hundred times as fast as reading numbers without
    numpy. Weights come nowhere near the bound, so the exact look is hardly ever needed.
    """
    width, bound = SIZES[dtype], WEIGHT_TYPES[dtype]
    highest = chunk[width - 1 :: width]
    if not _suspects(bound[0]).search(highest):
        return True
    second = chunk[width - 2 :: width]
    return all((h & ~SIGN, s) < bound for h, s in zip(highest, second, strict=True))


def normalization_of(header: Header) -> normalization.InputNormalization | None:
    """How its inputs were normalised; None where the file does not say.

    Raises:
        ValueError: it says what cannot be.
    """
    text = header.metadata.get(normalization.METADATA_KEY)
    return None if text is None else normalization.parse(text)


def not_of_weights(tensors: Mapping[str, TensorInfo]) -> str | None:
    """The first tensor that is of a type no weight has."""
    for name, one in tensors.items():
        if one.dtype not in WEIGHT_TYPES and not name.endswith(COUNTER):
            return name
    return None


def _suspects(least: int) -> re.Pattern[bytes]:
    """Highest bytes of values at the bound or above, with either sign."""
    most = SIGN - 1
    return re.compile(
        b"[%b-%b%b-%b]"
        % tuple(re.escape(bytes([b])) for b in (least, most, SIGN | least, SIGN | most))
    )
