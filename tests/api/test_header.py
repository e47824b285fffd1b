"""The head of a safetensors file, from friend and foe."""

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

from api.weights.header import LONGEST_HEAD, SIZES, read_header
from shared.errors import BadWeights

ONE = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}


def _file(tmp_path: Path, head: Any, data: bytes = b"\0" * 8, length: int | None = None) -> Path:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


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
def test_what_the_library_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, shapes: Any, metadata: dict[str, str]
) -> None:
    path = tmp_path_factory.mktemp("files") / "x"
    tensors = {name: np.zeros(shape, dtype) for name, (shape, dtype) in shapes.items()}
    save_file(tensors, path, metadata=metadata or None)  # it writes no JSON for {}
    header = read_header(path)
    assert {name: one.shape for name, one in header.tensors.items()} == {
        name: tensor.shape for name, tensor in tensors.items()
    }
    assert header.metadata == metadata
    assert header.parameters == sum(tensor.size for tensor in tensors.values())


def test_one_of_ours_is_read(tmp_path: Path) -> None:
    header = read_header(_file(tmp_path, {**ONE, "__metadata__": {"k": "v"}}))
    assert header.tensors["a"].shape == (2,)
    assert header.metadata == {"k": "v"}


def _tensor(**changes: Any) -> dict[str, Any]:
    return {"a": {**ONE["a"], **changes}}


@pytest.mark.parametrize(
    ("head", "data", "says"),
    [
        (_tensor(dtype="F8"), b"\0" * 8, "type 'F8'"),
        (_tensor(dtype=["F32"]), b"\0" * 8, "type"),
        (_tensor(shape=[3]), b"\0" * 8, "does not take 8 bytes"),
        (_tensor(shape=[-2]), b"\0" * 8, "not counts"),
        (_tensor(shape=[True, 2]), b"\0" * 8, "not counts"),
        (_tensor(shape=[2.0]), b"\0" * 8, "not counts"),
        (_tensor(shape=[2**62, 4], data_offsets=[0, 0]), b"", "does not take"),
        (_tensor(shape=[2**63]), b"\0" * 8, "not counts"),
        (_tensor(shape=[2**63 - 1] * 20_000), b"\0" * 8, "20000 dimensions; 64 are admitted"),
        (_tensor(data_offsets=[0] * 20_000), b"\0" * 8, "not counts"),
        (_tensor(shape=[1] * 300_000), b"\0" * 8, "brackets or 250,000 commas"),
        ({"a": [[]] * 100_000}, b"", "more than 200,000 brackets"),
        (b'{"a": ' + b"9" * 21 + b"}", b"", "absurd"),
        (_tensor(data_offsets=[8, 0]), b"\0" * 8, "does not take"),
        (_tensor(data_offsets=[0]), b"\0" * 8, "not counts"),
        (_tensor(data_offsets=[8, 16]), b"\0" * 16, "gap"),
        (_tensor(), b"\0" * 7, "not whole"),
        (_tensor(), b"\0" * 9, "not whole"),
        ({**ONE, "b": ONE["a"]}, b"\0" * 8, "overlaps"),
        ({"a": {"dtype": "F32"}}, b"", "has not dtype"),
        ({"a": 3}, b"", "has not dtype"),
        ({"": ONE["a"]}, b"\0" * 8, "which is none"),
        ({"a" * 501: ONE["a"]}, b"\0" * 8, "which is none"),
        ({"a\x1b[31m": ONE["a"]}, b"\0" * 8, "which is none"),
        ({"__metadata__": {"a": 3}}, b"", "__metadata__"),
        ({"__metadata__": []}, b"", "__metadata__"),
        (b"[]", b"", "not an object"),
        (b"{", b"", "not JSON"),
        (b"\xff", b"", "not JSON"),
        (b'{"a": NaN}', b"", "NaN"),
        (b'{"a": 1, "a": 2}', b"", "twice"),
        (b"[" * 100_000, b"", "deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", b"", "absurd"),
    ],
)
def test_what_lies_is_refused(tmp_path: Path, head: Any, data: bytes, says: str) -> None:
    with pytest.raises(BadWeights, match=says):
        read_header(_file(tmp_path, head, data))


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, LONGEST_HEAD + 1, 10_000])
def test_a_head_longer_than_the_file(tmp_path: Path, length: int) -> None:
    with pytest.raises(BadWeights, match="head would be longer"):
        read_header(_file(tmp_path, ONE, length=length))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "0 bytes"),
        (b"1234567", "7 bytes"),
        (b"\x80\x04\x95cposix\nsystem\n", "pickle"),
        (b"PK\x03\x04 a zip of torch.save", "pickle"),
        (b"<svg/>" * 10, "head would be longer"),
    ],
)
def test_another_kind_of_file(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(BadWeights, match=says):
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
def test_a_refusal_is_short(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(BadWeights) as refused:
        read_header(_file(tmp_path, _tensor(**changes)))
    assert len(refused.value.detail) < 300


def test_as_many_tensors_as_are_admitted_are_read(tmp_path: Path) -> None:
    one = {"dtype": "U8", "shape": [0, 3, 3, 3], "data_offsets": [0, 0]}
    names = [f"features.{n}.block.[0].conv.weight" for n in range(20_000)]
    header = read_header(_file(tmp_path, dict.fromkeys(names, one), b""))
    assert list(header.tensors) == names


def test_too_many_tensors(tmp_path: Path) -> None:
    empty = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
    with pytest.raises(BadWeights, match="20001 tensors"):
        read_header(_file(tmp_path, {f"t{n}": empty for n in range(20_001)}, b""))


def test_every_type_has_its_size() -> None:
    assert SIZES["BF16"] == 2
    assert SIZES["BOOL"] == 1


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 2**64 - 1))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, length: int
) -> None:
    path = tmp_path_factory.mktemp("files") / "x"
    for start in (b"", struct.pack("<Q", length), struct.pack("<Q", len(content))):
        path.write_bytes(start + content)
        with contextlib.suppress(BadWeights):
            read_header(path)
