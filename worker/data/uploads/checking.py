"""The check of an upload: every picture is read once, and the facts are summed up."""

import hashlib
import json
from collections.abc import Callable

import numpy as np

from worker.data.uploads.class_folders import TEST, TRAIN, VALIDATION
from worker.data.uploads.duplicates import duplicate_warnings
from worker.data.uploads.facts import Facts, collect
from worker.data.uploads.faults import UploadRejected, fault
from worker.data.uploads.report import ClassCount, Report
from worker.data.uploads.upload import ImageUpload
from worker.data.uploads.warnings import MAX_FILES, UploadWarning

#: A class with fewer images is a warning.
SMALL_CLASS = 20
SPLIT_NAMES = {TRAIN: "train", VALIDATION: "validation", TEST: "test"}


def check_images(
    upload: ImageUpload, *, skip_bad: bool, progress: Callable[[float], None]
) -> Report:
    """Read all pictures of an upload and return their facts.

    Args:
        upload: an open upload.
        skip_bad: leave files out that cannot be read; otherwise they reject the upload.
        progress: called with the fraction that is done.

    Raises:
        UploadRejected: files cannot be read, or fewer than two classes have images.
    """
    facts = collect(upload, progress)
    if facts.rejected and not skip_bad:
        raise UploadRejected(facts.rejected)
    classes = _count(upload, facts)
    _check_classes(classes, facts)
    grey = bool(facts.is_grey.all())
    sizes = [np.min(facts.sizes, 0), np.median(facts.sizes, 0), np.max(facts.sizes, 0)]
    mean, std = _moments(facts, 1 if grey else 3)
    return Report(
        kind="images",
        task="classification",
        images=len(facts),
        classes=classes,
        image_sizes={
            name: (int(size[0]), int(size[1]))
            for name, size in zip(("min", "median", "max"), sizes, strict=True)
        },
        channels=1 if grey else 3,
        mean=mean,
        std=std,
        warnings=[
            *_skipped(facts),
            *_class_warnings(classes),
            *duplicate_warnings(facts, has_splits=upload.has_splits),
        ],
        rejected=facts.rejected,
        content_hash=_content_hash(upload, facts),
    )


def _count(upload: ImageUpload, facts: Facts) -> list[ClassCount]:
    count = len(upload.class_names)
    totals = np.bincount(facts.labels, minlength=count).tolist()
    by_split = {
        name: np.bincount(facts.labels[facts.splits == split], minlength=count).tolist()
        for split, name in SPLIT_NAMES.items()
        if upload.has_splits and (facts.splits == split).any()
    }
    return [
        ClassCount(
            name,
            totals[label],
            **{split: counts[label] for split, counts in by_split.items()},
        )
        for label, name in enumerate(upload.class_names)
    ]


def _check_classes(classes: list[ClassCount], facts: Facts) -> None:
    """Reject an upload with fewer than two classes, or without pictures to train on."""
    present = [found.name for found in classes if found.images]
    if len(present) < 2:
        how_many = f"one class, `{present[0]}`" if present else "no class"
        detail = f"The upload has pictures of {how_many}; training needs at least two classes"
        raise UploadRejected([*facts.rejected, fault("", detail)])
    if not (facts.splits == TRAIN).any():
        detail = "The upload has no picture in `train`; rename a folder, or leave the splits out"
        raise UploadRejected([*facts.rejected, fault("", detail)])


def _moments(facts: Facts, channels: int) -> tuple[list[float], list[float]]:
    mean_C, square_C = facts.moments.mean(axis=0).reshape(2, 3)[:, :channels]
    std_C = np.sqrt(np.maximum(square_C - mean_C**2, 0))
    return [round(value, 6) for value in mean_C.tolist()], [
        round(value, 6) for value in std_C.tolist()
    ]


def _skipped(facts: Facts) -> list[UploadWarning]:
    if not facts.rejected:
        return []
    files = [found["file"] for found in facts.rejected[:MAX_FILES]]
    count = len(facts.rejected)
    subject = "1 file" if count == 1 else f"{count:,} files"
    detail = f"{subject} cannot be read and {'is' if count == 1 else 'are'} left out"
    return [UploadWarning("unreadable_files", detail, files)]


def _class_warnings(classes: list[ClassCount]) -> list[UploadWarning]:
    warnings: list[UploadWarning] = []
    small = [found for found in classes if found.images < SMALL_CLASS]
    if small:
        listed = ", ".join(f"`{found.name}` ({found.images})" for found in small[:MAX_FILES])
        verb = "has" if len(small) == 1 else "have"
        subject = f"{len(small):,} of {len(classes):,} classes {verb}"
        detail = f"{subject} fewer than {SMALL_CLASS} images"
        warnings.append(UploadWarning("small_class", f"{detail}: {listed}"))
    for split in SPLIT_NAMES.values():
        absent = [found.name for found in classes if getattr(found, split) == 0]
        if absent:
            listed = ", ".join(f"`{name}`" for name in absent[:MAX_FILES])
            detail = f"The {split} split has no image of {listed}"
            warnings.append(UploadWarning("class_absent_from_split", detail))
    return warnings


def _content_hash(upload: ImageUpload, facts: Facts) -> str:
    """Return the hash of what a job trains on: it changes with every name, label and byte."""
    digest = hashlib.sha256(json.dumps([upload.class_names, upload.has_splits]).encode())
    for file, label, split, content in zip(
        facts.files, facts.labels.tolist(), facts.splits.tolist(), facts.digests, strict=True
    ):
        digest.update(json.dumps([file, label, split, content.hex()]).encode())
    return f"sha256:{digest.hexdigest()}"
