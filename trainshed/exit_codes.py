"""The exit codes of commands, and the message of each error."""

import io
import os
import sys
from collections.abc import Callable
from typing import Any, cast

import typer
from rich.console import Console

from trainshed.errors import ApiError, Unreachable, WrongUsage
from trainshed.escaping import escaped

#: By the final state of a followed job.
BY_STATE = {"succeeded": 0, "failed": 1, "cancelled": 3}
REFUSED, NOT_FOUND, UNAVAILABLE, INTERRUPTED = 2, 4, 5, 130

#: The base class of typer's errors for wrong usage. Its home is typer or click, by typer's version;
#: in either it is the last class before `Exception` among the bases of `BadParameter`.
USAGE_ERROR: type[Exception] = next(
    base
    for base in reversed(typer.BadParameter.__mro__)
    if issubclass(base, Exception) and base is not Exception
)


def run_command(command: Callable[[], int]) -> int:
    """Run a command, print its error if it has one, and return the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # Replace the characters that the terminal's encoding lacks instead of failing.
        sys.stdout.reconfigure(errors="replace")
    try:
        code = command()
        sys.stdout.flush()
    except typer.Exit as end:
        return end.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):
        # typer and rich exit when a pipe is closed, which is no error: the reader needs no more.
        # Without a new stdout Python would report the closed pipe once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except USAGE_ERROR as error:
        _print_usage_error(error)
        return REFUSED
    except (ApiError, Unreachable, WrongUsage, OSError, UnicodeEncodeError) as error:
        return _print_error(error)
    return code


def _print_usage_error(error: Exception) -> None:
    """Print the usage and the error as typer does, without its frames."""
    if hasattr(error, "show"):
        cast("Any", error).show()
    else:
        _print(str(error))


def _print_error(error: Exception) -> int:
    """Print an error and return its exit code."""
    if isinstance(error, ApiError):
        _print(str(error))
        return _code_of_status(error.status)
    if isinstance(error, OSError) and error.errno is not None:
        _print(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return REFUSED
    if isinstance(error, UnicodeEncodeError):
        # An argument of the command line that is not text.
        _print(f"{error.object!r} cannot be encoded as {error.encoding}.")
        return REFUSED
    _print(str(error))
    return REFUSED if isinstance(error, WrongUsage) else UNAVAILABLE


def _print(text: str) -> None:
    console = Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)
    console.print(escaped(text, keep="\n"))


def _code_of_status(status: int) -> int:
    if status == 404:
        return NOT_FOUND
    return REFUSED if 400 <= status < 500 and status not in {401, 403, 429} else UNAVAILABLE
