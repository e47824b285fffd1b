"""Opening an upload: its content decides what it is."""

import os
from functools import partial
from pathlib import Path

from worker.data.uploads import zip_file
from worker.data.uploads.cifar_upload import CifarUpload
from worker.data.uploads.directory import open_directory
from worker.data.uploads.faults import UploadRejected, fault
from worker.data.uploads.folder_upload import File, FolderUpload
from worker.data.uploads.npz_upload import NpzUpload
from worker.data.uploads.upload import ImageUpload, TableUpload
from worker.data.uploads.zip_entries import Entry, read_entries

FORMATS = "Upload a zip of class folders, an .npz, a parquet file, or a table as CSV"
GZIP = b"\x1f\x8b"


def open_upload(path: Path, *, target: str | None = None) -> ImageUpload | TableUpload:
    """Open an uploaded file, or a directory of class folders; nothing is decoded yet.

    Args:
        path: of the file or the directory.
        target: of a table: the column to predict.

    Raises:
        UploadRejected: the file cannot become a data set.
        OSError: the file cannot be opened.
    """
    if path.is_dir():
        return open_directory(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        head = os.pread(descriptor, 512, 0)
        if head.startswith((b"PK\3\4", b"PK\5\6")):
            return _open_archive(descriptor)
        if not head.startswith(GZIP):
            _check_text(head)
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    if head.startswith(GZIP):
        return CifarUpload(path)
    if head.startswith(b"PAR1"):
        # pyarrow takes a fifth of a second to import; other uploads do not need it
        from worker.data.uploads.hub_parquet import open_parquet  # noqa: PLC0415

        pictures = open_parquet(path)
        if pictures is not None:
            return pictures
    return TableUpload(path, target)


def _check_text(head: bytes) -> None:
    """Refuse a file that is none of the formats."""
    what = None
    if not head:
        what = "empty"
    elif head[257:262] == b"ustar":
        what = "a tar archive"
    elif head.startswith((b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!")):
        what = "a compressed archive that is no zip"
    elif b"\0" in head and not head.startswith((b"PAR1", b"\xff\xfe", b"\xfe\xff")):
        what = "none of the formats that are read, or data stands before its archive"
    if what is not None:
        raise UploadRejected([fault("", f"The file is {what}. {FORMATS}.")])


def _open_archive(descriptor: int) -> ImageUpload:
    entries = read_entries(descriptor)
    if not entries:
        raise UploadRejected([fault("", f"The archive has no files. {FORMATS}.")])
    if all(entry.name.endswith(".npy") and "/" not in entry.name for entry in entries):
        return NpzUpload(descriptor, entries)
    files = [File(entry.name, entry.bytes) for entry in entries]
    return FolderUpload(files, partial(_read, descriptor, entries), partial(os.close, descriptor))


def _read(descriptor: int, entries: list[Entry], index: int) -> bytes:
    return zip_file.read(descriptor, entries[index])
