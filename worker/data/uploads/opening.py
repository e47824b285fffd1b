"""Opening an upload: its content decides what it is."""

import os
from pathlib import Path

from worker.data.uploads.faults import UploadRejected, fault
from worker.data.uploads.npz_upload import NpzUpload
from worker.data.uploads.upload import ImageUpload
from worker.data.uploads.zip_entries import read_entries
from worker.data.uploads.zip_upload import ZipUpload

FORMATS = "Upload a zip of class folders or an .npz"


def open_upload(path: Path) -> ImageUpload:
    """Open an uploaded file; nothing is decoded yet.

    Args:
        path: the file.

    Raises:
        UploadRejected: the file cannot become a data set.
        OSError: the file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return _open_archive(descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def _open_archive(descriptor: int) -> ImageUpload:
    head = os.pread(descriptor, 512, 0)
    if not head:
        raise UploadRejected([fault("", f"The file is empty. {FORMATS}.")])
    if head[257:262] == b"ustar":
        raise UploadRejected([fault("", f"The file is a tar archive. {FORMATS}.")])
    entries = read_entries(descriptor)
    if not entries:
        raise UploadRejected([fault("", f"The archive has no files. {FORMATS}.")])
    if all(entry.name.endswith(".npy") and "/" not in entry.name for entry in entries):
        return NpzUpload(descriptor, entries)
    return ZipUpload(descriptor, entries)
