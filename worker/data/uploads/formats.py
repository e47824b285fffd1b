"""The formats of pictures that are read, and what other files are by their first bytes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PictureFormat:
    """The limits of a format.

    Args:
        max_pixels: of a picture.
        bytes_per_pixel: the largest memory that decoding and converting takes; twice as much for a
            progressive JPEG, which keeps two bytes of each coefficient until its last scan.
    """

    max_pixels: int
    bytes_per_pixel: int


#: By Pillow's name. The decoder of WebP keeps three copies.
FORMATS = {
    "PNG": PictureFormat(50_000_000, 10),
    "JPEG": PictureFormat(50_000_000, 6),
    "WEBP": PictureFormat(30_000_000, 20),
    "GIF": PictureFormat(50_000_000, 10),
    "BMP": PictureFormat(50_000_000, 10),
    "TIFF": PictureFormat(50_000_000, 12),
}
#: Of a picture: 40 million pixels of a TIFF without compression.
MAX_FILE_BYTES = 128 * 2**20
ALLOWED = "PNG, JPEG, WebP, GIF, BMP and TIFF are read"
#: First bytes of files → what they are.
OTHERS = {
    b"%PDF": "a PDF document",
    b"%!PS": "a PostScript file (EPS)",
    b"\xc5\xd0\xd3\xc6": "a PostScript file (EPS)",
    b"SIMPLE  =": "a FITS file",
    b"PK\3\4": "an archive",
    b"PK\5\6": "an archive",
    b"\x1f\x8b": "an archive",
    b"\x93NUMPY": "an array of numpy",
    b"\x80\2": "a pickle",
    b"\x80\3": "a pickle",
    b"\x80\4": "a pickle",
    b"\x80\5": "a pickle",
    b"8BPS": "a Photoshop file",
    b"\0\0\1\0": "an icon",
    b"\x89HDF": "an HDF5 file",
    b"PAR1": "a parquet file",
}


def describe(content: bytes) -> str:
    """Return what a file is that is no picture, for a message."""
    if not content:
        return "is empty"
    for begin, what in OTHERS.items():
        if content.startswith(begin):
            return f"is {what}, not a picture; {ALLOWED}"
    head = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<svg", b"<?xml", b"<!doctype svg")):
        return f"is an SVG drawing, not a picture of pixels; {ALLOWED}"
    if content[4:8] == b"ftyp":
        return f"is a HEIC, AVIF or video file; {ALLOWED}"
    return f"is not a picture, or is damaged from its start; {ALLOWED}"
