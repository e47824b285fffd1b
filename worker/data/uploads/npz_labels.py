"""The labels of an .npz archive, as class indices with class names."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from worker.data.dataset import Integers
from worker.data.uploads.faults import UploadRejected, fault

MAX_CLASSES = 10_000


@dataclass(frozen=True)
class Labels:
    """Class indices [N] and the names of the classes."""

    labels: Integers
    class_names: tuple[str, ...]


def read_labels(
    names: Sequence[str], parts: Sequence[np.ndarray], class_names: np.ndarray | None
) -> Labels:
    """Return the labels of all parts together.

    With `class_names` labels are indices into them; without, the distinct labels are the classes,
    in ascending order.

    Args:
        names: of the arrays of labels, for messages.
        parts: labels [n] of each array: integers or text.
        class_names: text [K], or None.

    Raises:
        UploadRejected: a label is no integer or text, or has no name.
    """
    for name, labels_n in zip(names, parts, strict=True):
        if labels_n.dtype.kind not in "iuUS":
            detail = f"has values of the type {labels_n.dtype}; labels must be integers or text"
            raise UploadRejected([fault(f"{name}.npy", detail)])
    if len({labels_n.dtype.kind in "US" for labels_n in parts}) > 1:
        raise UploadRejected([fault(f"{names[0]}.npy", "has text, and the other labels have not")])
    if class_names is not None:
        return _named(names, parts, _texts(class_names))
    values_N = np.concatenate(parts)
    if values_N.dtype.kind == "S":
        values_N = np.array(_texts(values_N))
    distinct, labels_N = np.unique(values_N, return_inverse=True)
    if len(distinct) > MAX_CLASSES:
        detail = f"has {len(distinct):,} different labels; at most {MAX_CLASSES:,} are allowed"
        raise UploadRejected([fault(f"{names[0]}.npy", detail)])
    if distinct.dtype.kind != "U" and len(distinct) and distinct[0] < 0:
        detail = f"has the label {distinct[0]}; labels must be 0 or greater"
        raise UploadRejected([fault(f"{names[0]}.npy", detail)])
    return Labels(labels_N.astype(np.int64).reshape(-1), tuple(map(str, distinct.tolist())))


def _named(
    names: Sequence[str], parts: Sequence[np.ndarray], class_names: tuple[str, ...]
) -> Labels:
    if len(set(class_names)) < len(class_names) or not 1 <= len(class_names) <= MAX_CLASSES:
        detail = f"must have 1 to {MAX_CLASSES:,} different names"
        raise UploadRejected([fault("class_names.npy", detail)])
    count = len(class_names)
    for name, labels_n in zip(names, parts, strict=True):
        if labels_n.dtype.kind in "US":
            detail = "has text; with `class_names`, labels must be integers"
            raise UploadRejected([fault(f"{name}.npy", detail)])
        wrong = np.flatnonzero((labels_n < 0) | (labels_n >= count))
        if len(wrong):
            where, value = int(wrong[0]), int(labels_n[wrong[0]])
            detail = f"has the label {value} at {where}; with {count} class names, labels are 0 to "
            raise UploadRejected([fault(f"{name}.npy", f"{detail}{count - 1}")])
    labels_N = np.concatenate([labels_n.astype(np.int64) for labels_n in parts])
    return Labels(labels_N, class_names)


def _texts(values: np.ndarray) -> tuple[str, ...]:
    if values.dtype.kind not in "US" or values.ndim != 1:
        raise UploadRejected([fault("class_names.npy", "must be a list of text")])
    if values.dtype.kind == "U":
        return tuple(map(str, values.tolist()))
    try:
        return tuple(value.decode("utf-8") for value in values.tolist())
    except UnicodeDecodeError as error:
        raise UploadRejected([fault("class_names.npy", "has text that is not UTF-8")]) from error
