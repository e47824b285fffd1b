"""With which code a command ends, and what it says then."""

import os
import sys
from collections.abc import Callable

import click
from rich.console import Console

from trainshed.errors import ApiError, Unreachable

OF_STATE = {"succeeded": 0, "failed": 1, "cancelled": 3}
REFUSED, NOT_FOUND, AWAY, INTERRUPTED = 2, 4, 5, 130


def guarded(command: Callable[[], int]) -> int:
    """Run a command; say what it ended with, and return the exit code for it."""
    try:
        return command()
    except click.exceptions.Exit as end:
        return end.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # Who read has seen enough; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (click.ClickException, ApiError, Unreachable, OSError) as error:
        return _explained(error)


def _explained(error: Exception) -> int:
    if isinstance(error, click.ClickException):
        error.show()
        return REFUSED
    console = Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)
    console.print(str(error))
    return _of_status(error.status) if isinstance(error, ApiError) else AWAY


def _of_status(status: int) -> int:
    if status == 404:
        return NOT_FOUND
    return REFUSED if 400 <= status < 500 and status not in {401, 403, 429} else AWAY
