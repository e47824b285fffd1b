"""The published archives of CIFAR-10: the binary version, and the version for Python.

The files of the latter are pickles, which can execute code. Here nothing is called but what this
file defines, so that they are only data.

Source: A. Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009.
Axes: N images.
"""

import gzip
import io
import pickle
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, ClassVar

import numpy as np

from shared.datasets import CIFAR10
from worker.data.dataset import Bytes, Integers
from worker.data.uploads.class_folders import TEST, TRAIN
from worker.data.uploads.faults import BadFile, Fault, UploadRejected, fault
from worker.data.uploads.upload import Picture

FILES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
SIDE, CHANNELS = CIFAR10.image_size, CIFAR10.channels
IMAGE_BYTES = CHANNELS * SIDE * SIDE
MAX_MEMBERS, MAX_MEMBER_BYTES = 64, 40 * 2**20
DAMAGED = (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error)
OTHER = "The file is a compressed archive that is no zip, and not one of the archives of CIFAR-10"


class CifarUpload:
    """The pictures of an archive, in the order of its files.

    Args:
        path: of the archive.

    Raises:
        UploadRejected: it is another archive, or damaged.
    """

    faults: Sequence[Fault] = ()
    has_splits = True
    class_names = CIFAR10.classes

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            members = _members(file)
        missing = [name for name in FILES if name not in members]
        if missing:
            raise UploadRejected([fault("", f"{OTHER}: it lacks {', '.join(missing)}")])
        self._parts: list[tuple[str, Bytes]] = []
        labels: list[Integers] = []
        for name in FILES:
            is_binary, content = members.pop(name)
            try:
                images_N, labels_N = (_binary if is_binary else _pickled)(content)
            except BadFile as error:
                raise UploadRejected([fault(name, str(error))]) from error
            self._parts.append((name, images_N))
            labels.append(labels_N)
        self.labels = np.concatenate(labels)
        splits = [TEST if name == FILES[-1] else TRAIN for name in FILES]
        self.splits = np.repeat(splits, [len(each) for each in labels]).astype(np.int8)

    def __len__(self) -> int:
        return len(self.labels)

    def pictures(self) -> Iterator[Picture]:
        """Yield all pictures in order."""
        number = 0
        for name, images_N in self._parts:
            for index, row in enumerate(images_N):
                label, split = int(self.labels[number]), int(self.splits[number])
                yield Picture(f"{name}[{index}]", label, split, 0, _reader(row))
                number += 1

    def close(self) -> None:
        """Do nothing: the images are in memory."""


def _members(file: BinaryIO) -> dict[str, tuple[bool, bytes]]:
    """Return the files by name: whether they are of the binary version, and their content."""
    found: dict[str, tuple[bool, bytes]] = {}
    try:
        with gzip.open(file) as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as archive:
            for count, member in enumerate(archive, start=1):
                if count > MAX_MEMBERS or member.size > MAX_MEMBER_BYTES:
                    raise UploadRejected([fault("", OTHER)])
                name = PurePosixPath(member.name).name
                stem = name.removesuffix(".bin")
                if stem not in FILES or not member.isreg():
                    continue
                if stem in found:
                    raise UploadRejected([fault(name, "is there twice")])
                opened = archive.extractfile(member)
                found[stem] = name != stem, opened.read() if opened else b""
    except DAMAGED as error:
        raise UploadRejected([fault("", f"{OTHER}, or it is damaged: {error}")]) from error
    return found


def _binary(content: bytes) -> tuple[Bytes, Integers]:
    """Decode records of a label and the red, green and blue planes."""
    if not content or len(content) % (1 + IMAGE_BYTES):
        raise BadFile(f"has {len(content):,} bytes, no multiple of {1 + IMAGE_BYTES:,}")
    records = np.frombuffer(content, np.uint8).reshape(-1, 1 + IMAGE_BYTES)
    return records[:, 1:], _checked(records[:, 0].astype(np.int64))


def _pickled(content: bytes) -> tuple[Bytes, Integers]:
    """Decode a dictionary with `data`, an array [N, 3072], and `labels`."""
    try:
        batch = _Reader(io.BytesIO(content), encoding="bytes").load()
        values = {_text(name): value for name, value in batch.items()}
        data, labels = values["data"], values["labels"]
        _, shape, dtype, is_fortran, pixels = data.state
        labels_N = np.array([int(label) for label in labels], np.int64)
        form = (tuple(shape), _text(dtype.name), bool(is_fortran), len(pixels))
    except BadFile:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged pickle raises almost anything
        raise BadFile(f"is damaged: {str(error)[:120] or type(error).__name__}") from None
    count = len(labels_N)
    if form != ((count, IMAGE_BYTES), "u1", False, count * IMAGE_BYTES):
        raise BadFile("has another array than the published file, or another number of labels")
    return np.frombuffer(pixels, np.uint8).reshape(-1, IMAGE_BYTES), _checked(labels_N)


class _Array:
    """What the file says of an array, without numpy."""

    state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state


class _Dtype:
    """The type of an array's values."""

    def __init__(self, name: Any, *_: Any) -> None:
        self.name = name

    def __setstate__(self, _: Any) -> None:
        """Ignore the byte order."""


def _new_array(*_: Any) -> _Array:
    return _Array()


def _encode(text: str, _: str) -> bytes:
    return text.encode("latin-1")


class _Reader(pickle.Unpickler):
    """Reads a pickle in which only arrays stand for objects, and calls nothing of another file."""

    STANDS_FOR: ClassVar[dict[tuple[str, str], Callable[..., Any]]] = {
        ("numpy.core.multiarray", "_reconstruct"): _new_array,
        ("numpy._core.multiarray", "_reconstruct"): _new_array,
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Dtype,
        ("_codecs", "encode"): _encode,
    }

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        known = self.STANDS_FOR.get((module_name, global_name))
        if known is None:
            raise BadFile(f"refers to {module_name}.{global_name}, which no published file does")
        return known

    def persistent_load(self, pid: Any, /) -> Any:
        raise BadFile(f"refers to the object {str(pid)[:50]}")


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _checked(labels_N: Integers) -> Integers:
    if len(labels_N) and not 0 <= labels_N.min() <= labels_N.max() < len(CIFAR10.classes):
        raise BadFile("has labels outside of 0 to 9")
    return labels_N


def _reader(row: Bytes) -> Callable[[], Bytes]:
    return partial(_pixels, row)


def _pixels(row: Bytes) -> Bytes:
    """Return an image as [H, W, C]."""
    return row.reshape(CHANNELS, SIDE, SIDE).transpose(1, 2, 0)
