"""Commands for data sets: list, show, add, delete."""

from pathlib import Path
from typing import Annotated

import typer

from trainshed.commands.common_options import (
    AsJson,
    connect,
    console,
    error_console,
    print_json,
    print_line,
    transfer_progress,
)
from trainshed.dataset_tables import print_dataset, print_datasets, print_rejection
from trainshed.errors import WrongUsage
from trainshed.exit_codes import REFUSED
from trainshed.formatting import file_size

app = typer.Typer()
datasets = typer.Typer(help="List, show, add and delete data sets.")
app.add_typer(datasets, name="datasets")

Name = Annotated[str, typer.Argument(help="The name of a data set, or name@version.")]


@datasets.callback(invoke_without_command=True)
def list_by_default(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the data sets, or show, add or delete one."""
    if context.invoked_subcommand is None:
        list_datasets(as_json=as_json)


@datasets.command("list")
def list_datasets(*, as_json: AsJson = False) -> None:
    """List the data sets: built-in and uploaded."""
    with connect() as client:
        rows = client.datasets()
    print_json(rows) if as_json else print_datasets(console, rows)


@datasets.command()
def show(
    name: Name,
    *,
    samples: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write a PNG with some images of each class."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a data set: its classes, warnings and rejected files."""
    with connect() as client:
        row = client.dataset(name)
        png = None if samples is None else client.dataset_samples(name)
    print_json(row) if as_json else print_dataset(console, row)
    if samples is not None and png is not None:
        samples.write_bytes(png)
        if not as_json:
            print_line(str(samples))


@datasets.command()
def add(
    name: Annotated[str, typer.Argument(help="The name that specifications use.")],
    path: Annotated[Path, typer.Argument(help="A folder of class folders, or a file.")],
    *,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out files that cannot be read.")
    ] = False,
    target: Annotated[
        str | None,
        typer.Option(help="Of a table: the column to predict; default: the last."),
    ] = None,
    on_box: Annotated[
        bool,
        typer.Option(
            "--on-box",
            help="PATH is a directory of the box, below TRAINSHED_DATA_ROOTS: do not copy it.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Upload a data set and wait until it is checked.

    The file is a zip of class folders, an .npz, a parquet file or a table (CSV, parquet). A folder
    is zipped on the way.
    """
    if not on_box and not path.exists():
        raise WrongUsage(f"{path} does not exist. Name a file, or a folder of class folders.")
    with connect() as client:
        if on_box:
            added = client.register_directory(name, str(path), skip_bad=skip_bad)
        else:
            with transfer_progress(path.name) as progress:
                added = client.add_dataset(
                    name, path, skip_bad=skip_bad, target=target, progress=progress
                )
        row = client.wait_for_dataset(f"{added['name']}@{added['version']}")
    if as_json:
        print_json(row)
    elif row["state"] == "ready":
        print_dataset(console, row)
    else:
        print_rejection(error_console, row)
    if row["state"] != "ready":
        raise typer.Exit(REFUSED)


@datasets.command()
def delete(name: Name, *, as_json: AsJson = False) -> None:
    """Delete all versions of an upload, or name@version."""
    with connect() as client:
        freed_bytes = client.delete_dataset(name)
    if as_json:
        print_json({"name": name, "freed_bytes": freed_bytes})
    else:
        print_line(f"{name} is deleted; {file_size(freed_bytes)} are free again")
