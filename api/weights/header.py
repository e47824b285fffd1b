"""The head of a safetensors file, read with suspicion: it comes from anywhere.

8 bytes little-endian: the length of a JSON object {name: {dtype, shape, data_offsets}}; then the
tensors' bytes, end to end. Nothing in the format runs, and nothing here is unpickled.
"""

import json
import re
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NoReturn

from api.http.faults import abbreviated
from shared.errors import BadWeights

LENGTH = struct.Struct("<Q")
LONGEST_HEAD = 16 * 2**20  # bytes
MOST_TENSORS = 20_000
MOST_DIMENSIONS = 64
LONGEST_NAME = 500
LONGEST_INTEGER = 20  # characters
DEEPEST = 8
#: Far more than so many tensors have. Those within texts count: it only makes this stricter.
MOST_BRACKETS, MOST_COMMAS = 200_000, 250_000
MOST_ELEMENTS = 2**63 - 1
BRACKET = re.compile(r"[\[\]{}]")
#: Bytes an element of each type takes.
SIZES = {
    "F64": 8,
    "I64": 8,
    "U64": 8,
    "F32": 4,
    "I32": 4,
    "U32": 4,
    "F16": 2,
    "BF16": 2,
    "I16": 2,
    "U16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
}


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of a file."""

    dtype: str
    shape: tuple[int, ...]
    #: Where its bytes lie, counted from where those of all tensors begin.
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """What a file holds."""

    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]
    #: Where the tensors' bytes begin in the file.
    data_begins: int

    @property
    def parameters(self) -> int:
        """Elements of all tensors together."""
        return sum(prod(one.shape) for one in self.tensors.values())


def read_header(path: Path) -> Header:
    """Read and check the head of a file; the tensors' values are not looked at.

    Raises:
        BadWeights: it is no safetensors file, or says of itself what is not so.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        first = file.read(LENGTH.size)
        if len(first) < LENGTH.size:
            raise BadWeights(f"The file has {size} bytes; no safetensors file is so short.")
        (length,) = LENGTH.unpack(first)
        if length > min(LONGEST_HEAD, size - LENGTH.size):
            raise _not_a_head(first)
        described = _parsed(file.read(length))
    metadata = described.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise BadWeights("The file's __metadata__ is not an object of texts.")
    if len(described) > MOST_TENSORS:
        raise BadWeights(f"The file has {len(described)} tensors; {MOST_TENSORS} are admitted.")
    spans = sorted(_span(name, one) for name, one in described.items())
    end = 0
    for begin, after, name in spans:
        if begin != end:
            what = "overlaps another" if begin < end else "leaves a gap before it"
            raise BadWeights(f"The file is not whole: the tensor {name!r} {what}.")
        end = after
    if end != size - LENGTH.size - length:
        have = size - LENGTH.size - length
        raise BadWeights(f"The file is not whole: its tensors take {end} bytes and it has {have}.")
    tensors = {
        name: TensorInfo(one["dtype"], tuple(one["shape"]), *one["data_offsets"])
        for name, one in described.items()
    }
    return Header(tensors, metadata, LENGTH.size + length)


def _not_a_head(first: bytes) -> BadWeights:
    # Only now: the length of an honest head may begin with the same bytes.
    if first[:1] == b"\x80" or first[:2] == b"PK":
        return BadWeights(
            "The file is a pickle, which can run any program when it is read; it is not read "
            "here. Save the weights as safetensors."
        )
    return BadWeights("The file is not safetensors: its head would be longer than it may be.")


def _parsed(head: bytes) -> dict[str, Any]:
    try:
        text = head.decode("utf-8")
        _check_size(text)
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_bounded
        )
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise BadWeights("The file is not safetensors: its head is not JSON.") from error
    if not isinstance(value, dict):
        raise BadWeights("The file is not safetensors: its head is not an object.")
    return value


def _check_size(text: str) -> None:
    """Refuse what would take long to parse, or much memory, before it is parsed."""
    if sum(map(text.count, "[]{}")) > MOST_BRACKETS or text.count(",") > MOST_COMMAS:
        raise BadWeights(
            f"The file's head has more than {MOST_BRACKETS:,} brackets or {MOST_COMMAS:,} commas; "
            f"one of {MOST_TENSORS:,} tensors, which are admitted, has fewer."
        )
    depth = deepest = 0
    for bracket in BRACKET.finditer(text):
        depth += 1 if bracket[0] in "[{" else -1
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        raise BadWeights("The file is not safetensors: its head is nested too deeply.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadWeights("The file's head has a name twice.")
    return found


def _bounded(text: str) -> int:
    # Thousands of digits take the square of their number to be read.
    if len(text) > LONGEST_INTEGER:
        raise BadWeights("The file is not safetensors: its head has an absurd number.")
    return int(text)


def _no_constant(name: str) -> NoReturn:
    raise BadWeights(f"The file's head has {name}, which JSON does not have.")


def _span(name: str, one: Any) -> tuple[int, int, str]:
    """Where a tensor's bytes begin and end, with its name; everything it says is checked."""
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise BadWeights(f"The file has a tensor of the name {name[:60]!a}, which is none.")
    if not isinstance(one, dict) or set(one) != {"dtype", "shape", "data_offsets"}:
        raise BadWeights(f"The tensor {name!r} has not dtype, shape and data_offsets.")
    if not isinstance(one["dtype"], str) or one["dtype"] not in SIZES:
        known = ", ".join(SIZES)
        raise BadWeights(
            f"The tensor {name!r} has the type {abbreviated(one['dtype'])}; known: {known}."
        )
    shape, offsets = one["shape"], one["data_offsets"]
    # Before anything is computed: a product takes the square of how many numbers it is of.
    if isinstance(shape, list) and len(shape) > MOST_DIMENSIONS:
        admitted = f"{MOST_DIMENSIONS} are admitted"
        raise BadWeights(f"The tensor {name!r} has {len(shape)} dimensions; {admitted}.")
    if not _are_counts(shape) or not _are_counts(offsets) or len(offsets) != 2:
        raise BadWeights(f"The tensor {name!r} has a shape or offsets that are not counts.")
    begin, end = offsets
    elements = prod(shape)
    if elements > MOST_ELEMENTS or end - begin != elements * SIZES[one["dtype"]]:
        taken = f"does not take {end - begin} bytes"
        raise BadWeights(f"The tensor {name!r} of shape {abbreviated(shape)} {taken}.")
    return begin, end, name


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value <= MOST_ELEMENTS for value in values
    )
