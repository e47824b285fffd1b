"""Names and values of ours as MLflow accepts them.

MLflow accepts letters, digits and `_ . : / -` and spaces, and no name that would be another path.
Every other character becomes `_x`, its code point in hexadecimal digits, and `_`, so that two names
never become one: `a=b` is `a_x3d_b`. Ordinary names stay as they are.
"""

import hashlib
import re

MAX_NAME_LENGTH = 250
MAX_PARAMETER_LENGTH = 6000
MAX_TAG_LENGTH = 8000
#: What is replaced: characters that MLflow refuses, what begins one of our own replacements, spaces
#: at the ends, which are invisible, and slashes and periods that make the name another path.
REPLACED = re.compile(
    r"[^\w.:/ -]"
    r"|_(?=x)"
    r"|^ +|(?<=/) +(?=/)| +$"
    r"|^/|(?<=/)/|/$"
    r"|^\.|(?<=/)\.{1,2}(?=/|$)"
)
#: Hexadecimal digits of the digest in a name that was cut; a code point has at most six.
DIGEST_LENGTH = 32


def name_of(text: str, prefix: str = "") -> str:
    """Return a name for MLflow, which belongs to this text alone.

    A name that is too long is cut and ends in a digest of the text.

    Args:
        text: any text.
        prefix: of accepted characters, with which the name begins.
    """
    name = REPLACED.sub(_replacement, prefix + text)
    if len(name) <= MAX_NAME_LENGTH:
        return name
    digest = hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]
    ending = f"_x{digest}_"
    return name[: MAX_NAME_LENGTH - len(ending)] + ending


def cut(text: str, length: int) -> str:
    """Return the text, or where it is longer its beginning and an ellipsis."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _replacement(match: re.Match[str]) -> str:
    return "".join(f"_x{ord(character):x}_" for character in match[0])
