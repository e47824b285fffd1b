"""Uploaded data sets: archives of pictures, read without extracting anything.

`open_upload` opens a file, `check` reads it once and returns its facts, `read_images` returns its
images in the size that a job needs.
"""

from collections.abc import Callable

from worker.data.uploads.checking import check_images
from worker.data.uploads.faults import BadFile, Fault, UploadRejected
from worker.data.uploads.framing import frame
from worker.data.uploads.images import Images, read_images
from worker.data.uploads.opening import open_upload
from worker.data.uploads.picture import open_picture
from worker.data.uploads.report import Report
from worker.data.uploads.upload import ImageUpload

__all__ = [
    "BadFile",
    "Fault",
    "ImageUpload",
    "Images",
    "Report",
    "UploadRejected",
    "check",
    "frame",
    "open_picture",
    "open_upload",
    "read_images",
]


def check(upload: ImageUpload, *, skip_bad: bool, progress: Callable[[float], None]) -> Report:
    """Read an upload once and return its facts.

    Args:
        upload: an open upload.
        skip_bad: leave files out that cannot be read; otherwise they reject the upload.
        progress: called with the fraction that is done.

    Raises:
        UploadRejected: the upload cannot become a data set.
    """
    return check_images(upload, skip_bad=skip_bad, progress=progress)
