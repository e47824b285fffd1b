"""An .npz archive: images and labels as arrays, in our layout or in Keras's.

Axes: N images, H height, W width, C channels.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from worker.data.dataset import Bytes
from worker.data.uploads.class_folders import TEST, TRAIN
from worker.data.uploads.faults import BadFile, Fault, UploadRejected, fault
from worker.data.uploads.npz_header import StoredArray, open_array, read_whole, rows
from worker.data.uploads.npz_labels import Labels, read_labels
from worker.data.uploads.upload import Picture
from worker.data.uploads.zip_entries import Entry

OURS = {"images": "labels"}
KERAS = {"x_train": "y_train", "x_test": "y_test"}
LAYOUTS = (
    "an .npz has the arrays `images` and `labels` (and `class_names`), or "
    "`x_train`, `y_train`, `x_test` and `y_test`"
)
MAX_IMAGES = 1_000_000
MAX_SIDE = 4_096


@dataclass(frozen=True)
class _Part:
    """Images with the split that they belong to."""

    name: str
    images: StoredArray
    split: int


class NpzUpload:
    """The pictures of an .npz archive, in the order of its arrays.

    Args:
        descriptor: of the open archive; it belongs to this object once it is made.
        entries: the arrays of the archive.

    Raises:
        UploadRejected: an array is missing, pickled, or does not fit the others.
    """

    faults: tuple[Fault, ...] = ()

    def __init__(self, descriptor: int, entries: list[Entry]) -> None:
        self._descriptor = descriptor
        arrays = _arrays(descriptor, entries)
        layout = KERAS if set(KERAS) <= set(arrays) else OURS
        self.has_splits = layout is KERAS
        splits = {"x_test": TEST}
        images = {name: _image_array(name, arrays) for name in layout}
        self._parts = [_Part(name, images[name], splits.get(name, TRAIN)) for name in layout]
        labels = _labels(descriptor, arrays, layout)
        self.class_names, self.labels = labels.class_names, labels.labels
        counts = [part.images.shape[0] for part in self._parts]
        self.splits = np.repeat([part.split for part in self._parts], counts).astype(np.int8)
        if len(self.labels) > MAX_IMAGES:
            detail = f"has {len(self.labels):,} images; at most {MAX_IMAGES:,} are allowed"
            raise UploadRejected([fault(self._parts[0].name, detail)])

    def __len__(self) -> int:
        return len(self.labels)

    def pictures(self) -> Iterator[Picture]:
        """Yield all pictures in order.

        Raises:
            UploadRejected: an array is damaged.
        """
        number = 0
        for part in self._parts:
            try:
                for index, row in enumerate(rows(self._descriptor, part.images)):
                    label = int(self.labels[number])
                    yield Picture(f"{part.name}[{index}]", label, part.split, 0, _reader(row))
                    number += 1
            except BadFile as error:
                raise UploadRejected([fault(part.images.entry.name, str(error))]) from error

    def close(self) -> None:
        """Close the archive."""
        os.close(self._descriptor)


def _arrays(descriptor: int, entries: list[Entry]) -> dict[str, StoredArray]:
    """Return the arrays by name; all of them are checked, so that none is pickled."""
    arrays: dict[str, StoredArray] = {}
    faults: list[Fault] = []
    for entry in entries:
        try:
            arrays[entry.name.removesuffix(".npy")] = open_array(descriptor, entry)
        except BadFile as error:
            faults.append(fault(entry.name, str(error)))
    if not faults:
        layout = KERAS if set(KERAS) & set(arrays) else OURS
        missing = sorted({*layout, *layout.values()} - set(arrays))
        faults = [fault(f"{name}.npy", f"is missing; {LAYOUTS}") for name in missing]
    if faults:
        raise UploadRejected(faults)
    return arrays


def _image_array(name: str, arrays: Mapping[str, StoredArray]) -> StoredArray:
    array = arrays[name]
    shape, kind = array.shape, str(array.dtype)
    detail = None
    if array.dtype.kind not in "bu" or array.dtype.itemsize > 2:
        detail = f"has values of the type {kind}; images must be uint8 (or uint16, or bool)"
    elif len(shape) not in {3, 4} or (len(shape) == 4 and not {1, 3, 4} & {shape[1], shape[3]}):
        detail = f"has the shape {shape}; it must be [N, H, W] or [N, H, W, C] with C 1, 3 or 4"
    elif not all(shape):
        detail = f"has the shape {shape}, so there are no images"
    elif max(shape[1:]) > MAX_SIDE:
        detail = f"has images of {max(shape[1:]):,} pixels a side; at most {MAX_SIDE:,} are allowed"
    if detail:
        raise UploadRejected([fault(array.entry.name, detail)])
    return array


def _labels(
    descriptor: int, arrays: Mapping[str, StoredArray], layout: Mapping[str, str]
) -> Labels:
    faults: list[Fault] = []
    parts: list[np.ndarray] = []
    for images, labels in layout.items():
        count, array = arrays[images].shape[0], arrays[labels]
        shape = array.shape[:1] if len(array.shape) == 2 and array.shape[1] == 1 else array.shape
        if shape != (count,):
            detail = f"has the shape {array.shape}; there are {count:,} images, each with one label"
            faults.append(fault(array.entry.name, detail))
            continue
        try:
            parts.append(read_whole(descriptor, array).reshape(count))
        except BadFile as error:
            faults.append(fault(array.entry.name, str(error)))
    names = None
    if "class_names" in arrays:
        try:
            names = read_whole(descriptor, arrays["class_names"])
        except BadFile as error:
            faults.append(fault("class_names.npy", str(error)))
    if faults:
        raise UploadRejected(faults)
    return read_labels(list(layout.values()), parts, names)


def _reader(row: np.ndarray) -> Callable[[], Bytes]:
    """Return what converts an image to uint8 [H, W] or [H, W, C]."""

    def read() -> Bytes:
        pixels = row
        if pixels.ndim == 3 and pixels.shape[2] not in {1, 3, 4}:
            pixels = pixels.transpose(1, 2, 0)
        if pixels.dtype == bool:
            return pixels.astype(np.uint8) * 255
        if pixels.dtype.itemsize == 2:
            wide = pixels.astype(np.uint32)
            return ((wide * 255 + 32_767) // 65_535).astype(np.uint8)
        return pixels.astype(np.uint8, copy=False)

    return read
