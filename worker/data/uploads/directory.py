"""A directory of class folders on this machine; nothing of it is copied, and no link followed."""

import hashlib
import json
import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from shared.regular_files import open_regular
from worker.data.uploads.entry_names import is_ignored, problem
from worker.data.uploads.faults import BadFile, Fault, UploadRejected, fault
from worker.data.uploads.folder_upload import File, FolderUpload
from worker.data.uploads.zip_entries import MAX_ENTRIES, MAX_FAULTS


@dataclass(frozen=True)
class _Found:
    """A file of the directory."""

    path: str
    status: os.stat_result


def open_directory(root: Path) -> FolderUpload:
    """Open the class folders below a directory.

    Raises:
        UploadRejected: there are links, devices, or names that cannot be shown.
        OSError: the directory cannot be read.
    """
    faults: list[Fault] = []
    found = list(_walk(root, faults))
    if faults:
        raise UploadRejected(faults)
    files = [File(unicodedata.normalize("NFC", each.path), each.status.st_size) for each in found]
    read = partial(_read, root, [each.path for each in found])
    return FolderUpload(files, read, close=lambda: None)


def fingerprint(root: Path) -> str:
    """Return a hash of the names, sizes and times of change of all files below a directory.

    It is computed without reading the files, to notice that a file has changed.

    Raises:
        OSError: the directory cannot be read.
    """
    digest = hashlib.sha256()
    for each in _walk(root, []):
        digest.update(
            json.dumps([each.path, each.status.st_size, each.status.st_mtime_ns]).encode()
        )
    return f"sha256:{digest.hexdigest()}"


def _walk(root: Path, faults: list[Fault], below: str = "") -> Iterator[_Found]:
    """Yield all files that are not ignored, sorted by name, depth first."""
    count = 0
    with os.scandir(root / below) as scanned:
        entries = sorted(scanned, key=lambda entry: entry.name)
    for entry in entries:
        path = below + entry.name
        if is_ignored(entry.name):
            continue
        reason, status = problem(path), entry.stat(follow_symlinks=False)
        if reason is None and not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            reason = "is a link or a device; only files and folders are allowed"
        if reason is not None:
            faults.append(fault(path, reason))
            if len(faults) >= MAX_FAULTS:
                raise UploadRejected(faults)
        elif stat.S_ISDIR(status.st_mode):
            yield from _walk(root, faults, f"{path}/")
        else:
            count += 1
            if count > MAX_ENTRIES:
                detail = f"The folder has more than {MAX_ENTRIES:,} files, which is the limit."
                raise UploadRejected([fault(below, detail)])
            yield _Found(path, status)


def _read(root: Path, paths: list[str], index: int) -> bytes:
    try:
        with open_regular(root, paths[index]) as file:
            return file.read()
    except OSError as error:
        raise BadFile(f"cannot be read: {error.strerror or 'it is a link'}") from error
