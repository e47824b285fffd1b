"""What commands share: the service's address, arguments of many of them, what they print with."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from trainshed import show
from trainshed.client import Client
from trainshed.errors import WrongUsage

console = show.make_console()


def _an_id(value: str) -> str:
    # A path with a dot for a name is another path.
    if value.strip() in {"", ".", ".."}:
        raise typer.BadParameter(f"{value!r} is no id: `trainshed list` has the ids")
    return value


Job = Annotated[str, typer.Argument(help="a job's id", callback=_an_id)]
AsJson = Annotated[bool, typer.Option("--json", help="as JSON, for programs")]
Spec = Annotated[str | None, typer.Argument(help="a file of JSON, or - for standard input")]
Preset = Annotated[str | None, typer.Option(help="instead of a file: `trainshed presets` has them")]
Checkpoint = Annotated[
    str | None, typer.Option(help="an id, last, best_<monitor>; else the first of the best ones")
]
Output = Annotated[
    str,
    typer.Option("--output", "-o", help="a file, or a directory: one that is there, or a name/"),
]


class Address:
    """Where the service is: set by the options before the command."""

    url: str | None = None


def connect() -> Client:
    """A connection to the service that the options name."""
    return Client(Address.url)


def say(text: str) -> None:
    """Print a line for people; what is to be copied out of it is not broken."""
    console.print(text, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print for programs."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


@contextmanager
def transfer(name: str) -> Iterator[Any]:
    """A bar on a terminal; yields what is called with bytes so far, and in all where known."""
    columns = (TextColumn("{task.description}"), BarColumn())
    bars = Progress(
        *columns,
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with bars:
        task = bars.add_task(name, total=None)

        def progress(have: int, size: int | None = None) -> None:
            bars.update(task, completed=have, total=size)

        yield progress


def read_spec(spec: str) -> Any:
    """The JSON of a file or of standard input.

    Raises:
        WrongUsage: it cannot be read, or is not JSON.
    """
    try:
        # As bytes: its encoding is JSON's, UTF-8 with or without a mark, and not the terminal's.
        return json.loads(sys.stdin.buffer.read() if spec == "-" else Path(spec).read_bytes())
    except OSError as error:
        raise WrongUsage(f"{spec} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise WrongUsage(f"{spec} is not JSON: {error}") from error
    except RecursionError as error:
        raise WrongUsage(f"{spec} is nested too deeply for a specification") from error
