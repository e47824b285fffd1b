"""Output to the terminal that started the box."""

import os
import sys


def print_line(text: str) -> None:
    """Print a line without a buffer, since signal handlers print too; ignore a closed terminal."""
    try:
        os.write(sys.stdout.fileno(), f"{text}\n".encode(errors="replace"))
    except (OSError, ValueError):
        return
