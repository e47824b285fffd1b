"""Reads the header of a safetensors file, which may come from anywhere and is not trusted.

8 bytes, little-endian: the length of a JSON object {name: {dtype, shape, data_offsets}}; then the
bytes of the tensors, end to end. Nothing is unpickled, and nothing of the file is executed.
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
MAX_HEADER_BYTES = 16 * 2**20
MAX_TENSORS = 20_000
MAX_DIMENSIONS = 64
MAX_NAME_LENGTH = 500
MAX_INTEGER_LENGTH = 20  # characters
MAX_DEPTH = 8
#: Far more than `MAX_TENSORS` tensors need. Brackets and commas inside strings count too, which
#: only makes the limit stricter.
MAX_BRACKETS, MAX_COMMAS = 200_000, 250_000
MAX_ELEMENTS = 2**63 - 1
_BRACKET = re.compile(r"[\[\]{}]")
#: The size of an element by type.
ELEMENT_BYTES = {
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
    """A tensor of a file."""

    dtype: str
    shape: tuple[int, ...]
    #: The range of its bytes, counted from `Header.data_begin`.
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """The tensors of a file, without their values."""

    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]
    #: Where the bytes of the tensors begin in the file.
    data_begin: int

    @property
    def parameters(self) -> int:
        """The number of elements of all tensors."""
        return sum(prod(tensor.shape) for tensor in self.tensors.values())


def read_header(path: Path) -> Header:
    """Read and check the header of a file; the values of the tensors are not read.

    Raises:
        BadWeights: It is not a safetensors file, or its header is wrong.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        first = file.read(LENGTH.size)
        if len(first) < LENGTH.size:
            raise BadWeights(f"The file is not safetensors: it has only {size} bytes.")
        (length,) = LENGTH.unpack(first)
        if length > min(MAX_HEADER_BYTES, size - LENGTH.size):
            raise _not_safetensors(first)
        entries = _parse(file.read(length))
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise BadWeights("The file's __metadata__ is not an object of strings.")
    if len(entries) > MAX_TENSORS:
        raise BadWeights(
            f"The file has {len(entries):,} tensors; at most {MAX_TENSORS:,} are allowed."
        )
    ranges = sorted(_byte_range(name, entry) for name, entry in entries.items())
    end = 0
    for begin, tensor_end, name in ranges:
        if begin != end:
            problem = "overlaps another" if begin < end else "leaves a gap before it"
            raise BadWeights(f"The file is damaged: the tensor {name!r} {problem}.")
        end = tensor_end
    data_bytes = size - LENGTH.size - length
    if end != data_bytes:
        raise BadWeights(
            f"The file is incomplete or damaged: its tensors take {end} bytes and it has "
            f"{data_bytes}."
        )
    tensors = {
        name: TensorInfo(entry["dtype"], tuple(entry["shape"]), *entry["data_offsets"])
        for name, entry in entries.items()
    }
    return Header(tensors, metadata, LENGTH.size + length)


def _not_safetensors(first: bytes) -> BadWeights:
    # Only after the length check: the length of a valid header may begin with the same bytes.
    if first[:1] == b"\x80" or first[:2] == b"PK":
        return BadWeights(
            "The file is a pickle, which can execute code when it is loaded and is not accepted. "
            "Save the weights as safetensors."
        )
    return BadWeights("The file is not safetensors: its header is too long.")


def _parse(header: bytes) -> dict[str, Any]:
    try:
        text = header.decode("utf-8")
        _check_size(text)
        value = json.loads(
            text,
            object_pairs_hook=_without_duplicates,
            parse_constant=_refuse_constant,
            parse_int=_integer,
        )
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise BadWeights("The file is not safetensors: its header is not valid JSON.") from error
    if not isinstance(value, dict):
        raise BadWeights("The file is not safetensors: its header is not an object.")
    return value


def _check_size(text: str) -> None:
    """Refuse, before parsing, what would take long or much memory to parse."""
    if sum(map(text.count, "[]{}")) > MAX_BRACKETS or text.count(",") > MAX_COMMAS:
        raise BadWeights(
            f"The file's header exceeds the limit of {MAX_BRACKETS:,} brackets or {MAX_COMMAS:,} "
            f"commas; {MAX_TENSORS:,} tensors, which are allowed, need fewer."
        )
    depth = max_depth = 0
    for bracket in _BRACKET.finditer(text):
        depth += 1 if bracket[0] in "[{" else -1
        max_depth = max(max_depth, depth)
    if max_depth > MAX_DEPTH:
        raise BadWeights("The file is not safetensors: its header is nested too deeply.")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadWeights("The file's header has a name twice.")
    return fields


def _integer(text: str) -> int:
    # Parsing takes quadratic time in the number of digits.
    if len(text) > MAX_INTEGER_LENGTH:
        raise BadWeights("The file is not safetensors: its header has a number that is too long.")
    return int(text)


def _refuse_constant(name: str) -> NoReturn:
    raise BadWeights(f"The file's header contains {name}, which is not valid JSON.")


def _byte_range(name: str, entry: Any) -> tuple[int, int, str]:
    """Check the entry of a tensor; return where its bytes begin and end, and its name."""
    if not 0 < len(name) <= MAX_NAME_LENGTH or not name.isprintable():
        raise BadWeights(f"The file has a tensor with the invalid name {name[:60]!a}.")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise BadWeights(f"The tensor {name!r} must have dtype, shape and data_offsets.")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ELEMENT_BYTES:
        types = ", ".join(ELEMENT_BYTES)
        raise BadWeights(
            f"The tensor {name!r} has the type {abbreviated(dtype)}; allowed: {types}."
        )
    # Before the product is computed, which takes quadratic time in the number of dimensions.
    if isinstance(shape, list) and len(shape) > MAX_DIMENSIONS:
        raise BadWeights(
            f"The tensor {name!r} has {len(shape):,} dimensions; "
            f"at most {MAX_DIMENSIONS} are allowed."
        )
    if not _are_counts(shape) or not _are_counts(offsets) or len(offsets) != 2:
        raise BadWeights(f"The tensor {name!r} has a shape or offsets that are not valid.")
    begin, end = offsets
    elements = prod(shape)
    if elements > MAX_ELEMENTS or end - begin != elements * ELEMENT_BYTES[dtype]:
        raise BadWeights(
            f"The tensor {name!r} of shape {abbreviated(shape)} does not take {end - begin} bytes."
        )
    return begin, end, name


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value <= MAX_ELEMENTS for value in values
    )
