"""Text of the service made safe for a terminal."""

import unicodedata
from typing import Any

#: Control, format (invisible and bidirectional) and surrogate characters; separators of lines and
#: paragraphs. They could control the terminal, or hide and reorder what people read.
UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def escaped(value: Any, keep: str = "") -> Any:
    """Return a JSON value in which no text can control a terminal or reorder a line.

    Args:
        value: a text, or a list or dictionary with texts at any depth; other values stay.
        keep: control characters that stay: a line feed in text of several lines.
    """
    if isinstance(value, str):
        return value if value.isprintable() else "".join(_escape(char, keep) for char in value)
    if isinstance(value, list):
        return [escaped(entry, keep) for entry in value]
    if isinstance(value, dict):
        return {escaped(key, keep): escaped(entry, keep) for key, entry in value.items()}
    return value


def _escape(character: str, keep: str) -> str:
    if character in keep or unicodedata.category(character) not in UNSAFE_CATEGORIES:
        return character
    return character.encode("unicode_escape").decode()
