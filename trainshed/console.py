"""The console that the commands print to."""

import os

from rich.console import Console

#: Columns of output that is not a terminal, so that no line is broken.
PIPE_WIDTH = 200


def make_console(*, stderr: bool = False) -> Console:
    """Return a console without markup, which breaks no lines when it writes to a pipe."""
    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    return console
