"""Reading the header of a safetensors file: valid, damaged and hostile."""

import contextlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from api.weights.header import ELEMENT_BYTES, MAX_HEADER_BYTES, read_header
from shared.errors import BadWeights

VALID = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}


def _file(tmp_path: Path, header: Any, data: bytes = b"\0" * 8, length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def _changed(**changes: Any) -> dict[str, Any]:
    """Return the valid header with other fields of its tensor."""
    return {"a": {**VALID["a"], **changes}}


@settings(max_examples=60, deadline=None)
@given(
    shapes=st.dictionaries(
        st.text("abc.12_", min_size=1, max_size=12),
        st.tuples(
            st.lists(st.integers(0, 4), max_size=4),
            st.sampled_from(["float32", "float16", "int64", "uint8", "bool"]),
        ),
        max_size=6,
    ),
    metadata=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
)
def test_any_file_that_safetensors_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, shapes: Any, metadata: dict[str, str]
) -> None:
    path = tmp_path_factory.mktemp("files") / "x"
    tensors = {name: np.zeros(shape, dtype) for name, (shape, dtype) in shapes.items()}
    save_file(tensors, path, metadata=metadata or None)  # writes invalid JSON for {}
    header = read_header(path)
    assert {name: tensor.shape for name, tensor in header.tensors.items()} == {
        name: tensor.shape for name, tensor in tensors.items()
    }
    assert header.metadata == metadata
    assert header.parameters == sum(tensor.size for tensor in tensors.values())


def test_valid_header_is_read(tmp_path: Path) -> None:
    header = read_header(_file(tmp_path, {**VALID, "__metadata__": {"k": "v"}}))
    assert header.tensors["a"].shape == (2,)
    assert header.metadata == {"k": "v"}


@pytest.mark.parametrize(
    ("header", "data", "detail"),
    [
        (_changed(dtype="F8"), b"\0" * 8, 'type "F8"'),
        (_changed(dtype=["F32"]), b"\0" * 8, "type"),
        (_changed(shape=[3]), b"\0" * 8, "does not take 8 bytes"),
        (_changed(shape=[-2]), b"\0" * 8, "not valid"),
        (_changed(shape=[True, 2]), b"\0" * 8, "not valid"),
        (_changed(shape=[2.0]), b"\0" * 8, "not valid"),
        (_changed(shape=[2**62, 4], data_offsets=[0, 0]), b"", "does not take"),
        (_changed(shape=[2**63]), b"\0" * 8, "not valid"),
        (_changed(shape=[2**63 - 1] * 20_000), b"\0" * 8, "20,000 dimensions; at most 64"),
        (_changed(data_offsets=[0] * 20_000), b"\0" * 8, "not valid"),
        (_changed(shape=[1] * 300_000), b"\0" * 8, "brackets or 250,000 commas"),
        ({"a": [[]] * 100_000}, b"", "limit of 200,000 brackets"),
        (b'{"a": ' + b"9" * 21 + b"}", b"", "too long"),
        (_changed(data_offsets=[8, 0]), b"\0" * 8, "does not take"),
        (_changed(data_offsets=[0]), b"\0" * 8, "not valid"),
        (_changed(data_offsets=[8, 16]), b"\0" * 16, "gap"),
        (_changed(), b"\0" * 7, "incomplete"),
        (_changed(), b"\0" * 9, "incomplete"),
        ({**VALID, "b": VALID["a"]}, b"\0" * 8, "overlaps"),
        ({"a": {"dtype": "F32"}}, b"", "must have dtype"),
        ({"a": 3}, b"", "must have dtype"),
        ({"": VALID["a"]}, b"\0" * 8, "invalid name"),
        ({"a" * 501: VALID["a"]}, b"\0" * 8, "invalid name"),
        ({"a\x1b[31m": VALID["a"]}, b"\0" * 8, "invalid name"),
        ({"__metadata__": {"a": 3}}, b"", "__metadata__"),
        ({"__metadata__": []}, b"", "__metadata__"),
        (b"[]", b"", "not an object"),
        (b"{", b"", "not valid JSON"),
        (b"\xff", b"", "not valid JSON"),
        (b'{"a": NaN}', b"", "NaN"),
        (b'{"a": 1, "a": 2}', b"", "twice"),
        (b"[" * 100_000, b"", "deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", b"", "too long"),
    ],
)
def test_invalid_header_is_refused(tmp_path: Path, header: Any, data: bytes, detail: str) -> None:
    with pytest.raises(BadWeights, match=detail):
        read_header(_file(tmp_path, header, data))


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, MAX_HEADER_BYTES + 1, 10_000])
def test_header_longer_than_the_file_is_refused(tmp_path: Path, length: int) -> None:
    with pytest.raises(BadWeights, match="its header is too long"):
        read_header(_file(tmp_path, VALID, length=length))


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"", "0 bytes"),
        (b"1234567", "7 bytes"),
        (b"\x80\x04\x95cposix\nsystem\n", "pickle"),
        (b"PK\x03\x04 a zip of torch.save", "pickle"),
        (b"<svg/>" * 10, "its header is too long"),
    ],
)
def test_other_kinds_of_files_are_refused(tmp_path: Path, content: bytes, detail: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(BadWeights, match=detail):
        read_header(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": [2**63 - 1] * 64},
        {"dtype": "F" * 100_000},
        {"dtype": ["F32"] * 10_000},
        {"shape": [2] * 65},
    ],
)
def test_message_is_short_whatever_the_header_contains(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    with pytest.raises(BadWeights) as refused:
        read_header(_file(tmp_path, _changed(**changes)))
    assert len(refused.value.detail) < 300


def test_maximum_number_of_tensors_is_read(tmp_path: Path) -> None:
    empty = {"dtype": "U8", "shape": [0, 3, 3, 3], "data_offsets": [0, 0]}
    names = [f"features.{n}.block.[0].conv.weight" for n in range(20_000)]
    header = read_header(_file(tmp_path, dict.fromkeys(names, empty), b""))
    assert list(header.tensors) == names


def test_too_many_tensors_are_refused(tmp_path: Path) -> None:
    empty = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
    with pytest.raises(BadWeights, match="20,001 tensors; at most 20,000"):
        read_header(_file(tmp_path, {f"t{n}": empty for n in range(20_001)}, b""))


def test_element_sizes() -> None:
    assert ELEMENT_BYTES["BF16"] == 2
    assert ELEMENT_BYTES["BOOL"] == 1


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 2**64 - 1))
def test_arbitrary_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, length: int
) -> None:
    path = tmp_path_factory.mktemp("files") / "x"
    for start in (b"", struct.pack("<Q", length), struct.pack("<Q", len(content))):
        path.write_bytes(start + content)
        with contextlib.suppress(BadWeights):
            read_header(path)
