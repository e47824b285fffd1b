"""What the box says to the person who started it."""

import os
import sys


def say(text: str) -> None:
    """One line, unbuffered: a signal handler says things too. A terminal may be gone by then."""
    try:
        os.write(sys.stdout.fileno(), f"{text}\n".encode(errors="replace"))
    except (OSError, ValueError):
        return
