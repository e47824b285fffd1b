"""An uploaded data set as a job trains on it: decoded once in its size, and then from the cache."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from shared import uploaded_datasets
from worker.data.cache import Cache
from worker.data.dataset import Content, Dataset
from worker.data.errors import DatasetMissing
from worker.data.uploads import (
    TableUpload,
    UploadRejected,
    fingerprint,
    open_upload,
    read_images,
)

DELETED = "it was deleted"
CHANGED = "its content has changed since it was checked"
OTHER_VERSION = "its content has changed since the job was submitted"
HINT = "Upload the data set again, and submit the job again."
DIRECTORY_HINT = "Bring the files back, or register the directory again and submit a new job."


def state_of(path: Path) -> dict[str, Any]:
    """Return what shows later whether an upload or a directory has changed.

    Raises:
        FileNotFoundError: it is not there, or a link stands on the way to the directory.
        OSError: a directory cannot be read.
    """
    if path.is_dir():
        if path.resolve() != path:
            raise FileNotFoundError(path)
        return {"directory": str(path), "fingerprint": fingerprint(path)}
    status = path.stat()
    return {"bytes": status.st_size, "changed_ns": status.st_mtime_ns}


def write_facts(
    home: Path, reference: str, report: Mapping[str, Any], state: Mapping[str, Any]
) -> None:
    """Write what a job needs of a check; `state` is that of the file or directory."""
    facts = {
        "content_hash": report["content_hash"],
        "classes": report["classes"],
        "channels": report["channels"],
        "rejected": [found["file"] for found in report["rejected"]],
        "state": state,
    }
    path = uploaded_datasets.facts_file(home, reference)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(facts))
    temporary.replace(path)


def load_upload(dataset: Mapping[str, Any], *, data_dir: Path, cache_dir: Path) -> Dataset:
    """Open the uploaded images of a filled specification.

    Args:
        dataset: the field `dataset` of the specification.
        data_dir: `data` of the home directory.
        cache_dir: `cache` of the home directory.

    Raises:
        DatasetMissing: the upload was deleted, or has changed since the job was submitted.
        OSError: the disk is full (ENOSPC).
    """
    reference, content_hash = dataset["name"], dataset.get("content_hash")
    path, facts = find_upload(data_dir.parent, reference)
    if content_hash not in {None, facts["content_hash"]}:
        raise DatasetMissing(reference, [("upload", OTHER_VERSION)], HINT)
    size, resize = dataset["image_size"], dataset.get("resize") or "crop"
    # Grey images are repeated in each channel; only one is stored.
    stored_channels = min(dataset["channels"], facts["channels"])
    digest = facts["content_hash"].removeprefix("sha256:")[:12]

    def read() -> Content:
        try:
            return _content(path, facts, size, stored_channels, resize)
        except UploadRejected as error:
            raise DatasetMissing(reference, [("upload", str(error))], HINT) from error

    # The hash in the key: a name that was deleted and uploaded again has other images.
    key = f"{reference}-{resize}-{digest}-{size}x{stored_channels}"
    entry = Cache(cache_dir).get(key, read, name=f"{reference}-{resize}")
    count, classes = len(entry.labels), facts["classes"]
    own = {split: sum(c[split] or 0 for c in classes) for split in ("validation", "test")}
    return Dataset(
        name=reference,
        images=np.broadcast_to(entry.images, (count, dataset["channels"], size, size)),
        labels=entry.labels,
        class_names=tuple(c["name"] for c in classes),
        first_test=count - own["test"] if own["test"] else None,
        content_hash=entry.content_hash,
        first_validation=count - own["test"] - own["validation"] if own["validation"] else None,
    )


def find_upload(home: Path, reference: str) -> tuple[Path, dict[str, Any]]:
    """Return the file or the directory of a data set, and its facts.

    Raises:
        DatasetMissing: one of them is missing, or has changed since the check.
    """
    source, hint = "upload", HINT
    try:
        facts = json.loads(uploaded_datasets.facts_file(home, reference).read_text())
        path, checked = uploaded_datasets.file(home, reference), facts["state"]
        if "directory" in checked:
            path, source, hint = Path(checked["directory"]), "directory", DIRECTORY_HINT
        state = state_of(path)
    except (OSError, UploadRejected, ValueError, KeyError, TypeError) as error:
        raise DatasetMissing(reference, [(source, DELETED)], hint) from error
    if state != checked:
        raise DatasetMissing(reference, [(source, CHANGED)], hint)
    return path, facts


def _content(
    path: Path, facts: Mapping[str, Any], size: int, channels: int, resize: str
) -> Content:
    upload = open_upload(path)
    if isinstance(upload, TableUpload):
        raise DatasetMissing(path.name, [("upload", "it is a table")], HINT)
    images = read_images(
        upload, image_size=size, channels=channels, resize=resize, skipped=facts["rejected"]
    )

    def blocks() -> Any:
        try:
            yield from images.content.blocks
        finally:
            upload.close()

    return replace(images.content, blocks=blocks(), content_hash=facts["content_hash"])
