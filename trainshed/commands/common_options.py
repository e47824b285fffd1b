"""Options, output and input that the commands share."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TransferSpeedColumn,
)

from trainshed.client import Client
from trainshed.console import make_console
from trainshed.errors import WrongUsage
from trainshed.escaping import escaped
from trainshed.spec_changes import with_changes

console = make_console()
#: For what a script must not read as the output.
error_console = make_console(stderr=True)


def _check_id(value: str) -> str:
    # In a URL these would name another path.
    if value.strip() in {"", ".", ".."}:
        raise typer.BadParameter(f"{value!r} is not an id. `trainshed list` shows the ids.")
    return value


def _check_ids(values: list[str] | None) -> list[str] | None:
    return values and [_check_id(value) for value in values]


JOB_HELP = "A job: its id, a beginning of its id, or its name if only one job has it."
Job = Annotated[str, typer.Argument(help=JOB_HELP, callback=_check_id)]
Jobs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[JOB]...",
        help=f"{JOB_HELP} Or several.",
        callback=_check_ids,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Spec = Annotated[
    str | None, typer.Argument(help="A JSON file with the specification, or - for standard input.")
]
Preset = Annotated[
    str | None,
    typer.Option(help="Use a preset instead of a file; `trainshed presets` lists them."),
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change a field of the specification: training.epochs=3. VALUE is JSON, or else a "
        "string. Repeat the option for more.",
    ),
]
Checkpoint = Annotated[
    str | None,
    typer.Option(help="A checkpoint's id, last, or best_<monitor>; default: the first best."),
]
Output = Annotated[
    str,
    typer.Option("--output", "-o", help="A file, an existing directory, or a new directory/."),
]


class ServiceOptions:
    """The options before the command, which name the service."""

    url: str | None = None


def connect() -> Client:
    """Return a client of the service that the options name."""
    return Client(ServiceOptions.url)


def print_line(text: str) -> None:
    """Print a line without wrapping it, so that it can be copied."""
    console.print(escaped(text, keep="\n"), soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a value as JSON, for scripts."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


@contextmanager
def transfer_progress(name: str) -> Iterator[Any]:
    """Show a progress bar on a terminal; yield its callback for the bytes so far and the total."""
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with bars:
        task = bars.add_task(name, total=None)

        def progress(done: int, total: int | None = None) -> None:
            bars.update(task, completed=done, total=total)

        yield progress


@contextmanager
def count_progress(name: str) -> Iterator[Any]:
    """Show a progress bar on a terminal; yield its callback for the number so far and the total."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task(escaped(name), total=None)

        def progress(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        yield progress


def read_spec(
    client: Client, file: str | None, preset: str | None, changes: list[str] | None
) -> Any:
    """Return the specification of a file or of a preset, with the changes of --set."""
    if (file is None) == (preset is None):
        raise WrongUsage("Name either a file with a specification or a --preset.")
    spec = read_json(file) if file is not None else client.preset(str(preset))["spec"]
    return with_changes(spec, changes or [])


def read_json(path: str) -> Any:
    """Return the JSON of a file, or of standard input for `-`.

    Raises:
        WrongUsage: it cannot be read, or is not JSON.
    """
    try:
        # Read as bytes: JSON is UTF-8 with or without a byte order mark, whatever the terminal's
        # encoding.
        return json.loads(sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes())
    except OSError as error:
        raise WrongUsage(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise WrongUsage(f"{path} is not JSON: {error}.") from error
    except RecursionError as error:
        raise WrongUsage(f"{path} is nested too deeply for a specification.") from error
