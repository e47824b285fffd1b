"""Uploaded data sets: archives of pictures and tables, read without extracting anything.

`open_upload` opens a file, `check` reads it once and returns its facts, `read_images` returns its
images in the size that a job needs.
"""

from collections.abc import Callable

from worker.data.uploads.checking import check_images
from worker.data.uploads.decoding import in_order
from worker.data.uploads.directory import fingerprint
from worker.data.uploads.faults import BadFile, Fault, UploadRejected
from worker.data.uploads.framing import frame
from worker.data.uploads.images import (
    Images,
    image_of,
    kept_positions,
    prepare,
    read_images,
)
from worker.data.uploads.opening import open_upload
from worker.data.uploads.picture import open_picture
from worker.data.uploads.report import Report
from worker.data.uploads.some import read_some
from worker.data.uploads.upload import ImageUpload, TableUpload

__all__ = [
    "BadFile",
    "Fault",
    "ImageUpload",
    "Images",
    "Report",
    "TableUpload",
    "UploadRejected",
    "check",
    "fingerprint",
    "frame",
    "image_of",
    "in_order",
    "kept_positions",
    "open_picture",
    "open_upload",
    "prepare",
    "read_images",
    "read_some",
]


def check(
    upload: ImageUpload | TableUpload, *, skip_bad: bool, progress: Callable[[float], None]
) -> Report:
    """Read an upload once and return its facts.

    Args:
        upload: an open upload.
        skip_bad: leave files out that cannot be read; otherwise they reject the upload.
        progress: called with the fraction that is done.

    Raises:
        UploadRejected: the upload cannot become a data set.
    """
    if isinstance(upload, TableUpload):
        # pyarrow takes a fifth of a second to import; other uploads do not need it
        from worker.data.uploads.table_upload import check_table  # noqa: PLC0415

        return check_table(upload)
    return check_images(upload, skip_bad=skip_bad, progress=progress)
