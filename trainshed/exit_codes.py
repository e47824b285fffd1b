"""With which code a command ends, and what it says then."""

import io
import os
import sys
from collections.abc import Callable
from typing import Any, cast

import typer
from rich.console import Console

from trainshed.errors import ApiError, Unreachable, WrongUsage

OF_STATE = {"succeeded": 0, "failed": 1, "cancelled": 3}
REFUSED, NOT_FOUND, AWAY, INTERRUPTED = 2, 4, 5, 130

#: What typer raises at wrong usage: its own classes, or click's where it is built on click. Either
#: way `BadParameter` is of them, and what stands before `Exception` in its line is all of them.
MISUSE: type[Exception] = next(
    kind
    for kind in reversed(typer.BadParameter.__mro__)
    if issubclass(kind, Exception) and kind is not Exception
)


def guarded(command: Callable[[], int]) -> int:
    """Run a command; say what it ended with, and return the exit code for it."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # A character that the terminal's encoding lacks is no reason to show nothing.
        sys.stdout.reconfigure(errors="replace")
    try:
        code = command()
        sys.stdout.flush()
    except typer.Exit as end:
        return end.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):
        # typer and rich exit where a pipe is closed. Who read has seen enough, and Python would
        # complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MISUSE as error:
        _explain_misuse(error)
        return REFUSED
    except (ApiError, Unreachable, WrongUsage, OSError, UnicodeEncodeError) as error:
        return _explained(error)
    return code


def _explain_misuse(error: Exception) -> None:
    """Usage and what was wrong with it, as typer says them without its frames."""
    if hasattr(error, "show"):
        cast("Any", error).show()
    else:
        _say(str(error))


def _explained(error: Exception) -> int:
    if isinstance(error, ApiError):
        _say(str(error))
        return _of_status(error.status)
    if isinstance(error, OSError) and error.errno is not None:
        _say(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return REFUSED
    if isinstance(error, UnicodeEncodeError):
        # Bytes of the command line that are no text.
        _say(f"{error.object!r} cannot be written as {error.encoding}")
        return REFUSED
    _say(str(error))
    return REFUSED if isinstance(error, WrongUsage) else AWAY


def _say(text: str) -> None:
    console = Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)
    console.print(text)


def _of_status(status: int) -> int:
    if status == 404:
        return NOT_FOUND
    return REFUSED if 400 <= status < 500 and status not in {401, 403, 429} else AWAY
