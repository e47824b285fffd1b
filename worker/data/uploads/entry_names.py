"""The names of files in an archive: decoded, normalized and checked.

Sources: PKWARE, APPNOTE.TXT 6.3.10, 4.4.4 (bit 11) and appendix D (encodings); Info-ZIP's extra
field 0x7075 (Unicode path).
"""

import re
import struct
import unicodedata
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator

from worker.data.uploads.faults import Fault, fault, shown

MAX_COMPONENT_BYTES = 255
MAX_DEPTH = 16
#: What operating systems put next to the files of a person, apart from dot-files.
IGNORED = {"__macosx", "thumbs.db"}
DRIVE = re.compile(r"[A-Za-z]:")
#: Control characters and surrogates: Unicode's categories Cc and Cs.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
UTF8_FLAG = 1 << 11
UNICODE_PATH = 0x7075


def decode(raw: bytes, flags: int, unicode_path: bytes | None) -> str:
    """Return the name of an entry, in Unicode's composed form and with slashes.

    Archives of macOS are in UTF-8 without the flag for it, and with decomposed letters; old tools
    of Windows write code page 437 and backslashes.

    Args:
        raw: the bytes of the name.
        flags: the general purpose flags of the entry.
        unicode_path: the content of Info-ZIP's extra field, if the entry has it.

    Raises:
        UnicodeDecodeError: the flag says UTF-8, and the bytes are not.
    """
    if flags & UTF8_FLAG:
        name = raw.decode("utf-8")
    else:
        name = _from_extra(raw, unicode_path) or _guess(raw)
    return unicodedata.normalize("NFC", name).replace("\\", "/")


def _from_extra(raw: bytes, unicode_path: bytes | None) -> str | None:
    """Return the name in Info-ZIP's extra field, which counts if it belongs to these bytes."""
    if unicode_path is None or len(unicode_path) < 5 or unicode_path[0] != 1:
        return None
    if struct.unpack_from("<I", unicode_path, 1)[0] != zlib.crc32(raw):
        return None
    return unicode_path[5:].decode("utf-8")


def _guess(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp437")


def problem(name: str) -> str | None:
    """Return why a name is refused, or None.

    Nothing is ever written under these names; a file that would leave its folder in another
    program is refused all the same.
    """
    components = name.split("/")
    reason = None
    if not name.strip("/"):
        reason = "has no name"
    elif CONTROL.search(name):
        reason = "has a control character in its name"
    elif name.startswith("/") or DRIVE.match(name):
        reason = "has an absolute path; only paths below the folder are allowed"
    elif ".." in components:
        reason = "has `..` in its path, which leads out of the folder"
    elif any(len(component.encode()) > MAX_COMPONENT_BYTES for component in components):
        reason = f"has a name of more than {MAX_COMPONENT_BYTES} bytes"
    elif len(components) > MAX_DEPTH:
        reason = f"stands {len(components) - 1} folders deep; {MAX_DEPTH - 1} are allowed"
    return reason


def is_ignored(name: str) -> bool:
    """Return whether a file was put there by an operating system, or is a dot-file."""
    components = name.split("/")
    return any(part.startswith(".") or part.casefold() in IGNORED for part in components if part)


def collisions(names: Iterable[str]) -> Iterator[Fault]:
    """Yield a fault for every name that another file has, in the same or in another case."""
    by_plain = defaultdict[str, list[str]](list)
    for name in names:
        by_plain[unicodedata.normalize("NFC", name.casefold())].append(name)
    for same in by_plain.values():
        if len(same) > 1:
            is_equal = len(set(same)) == 1
            how = "is there twice" if is_equal else f"and `{shown(same[1])}` differ only in case"
            yield fault(same[0], f"{how}; give every file a name of its own")
