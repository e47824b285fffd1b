"""Commands for analyses of a trained network: start, list, show, download, logs, cancel."""

import sys
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from trainshed.analysis_tables import print_analyses, print_analysis
from trainshed.client import Client
from trainshed.commands.common_options import (
    JOB_HELP,
    AsJson,
    Job,
    Output,
    connect,
    console,
    error_console,
    print_json,
    print_line,
    transfer_progress,
)
from trainshed.escaping import escaped
from trainshed.exit_codes import BY_STATE
from trainshed.spec_changes import with_changes

app = typer.Typer()
analyses = typer.Typer(help="Analyse a trained network: start, list, show, download, logs, cancel.")
app.add_typer(analyses, name="analyses")

Id = Annotated[str, typer.Argument(metavar="ID", help="The id of an analysis, ana_….")]


@analyses.callback(invoke_without_command=True)
def list_by_default(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List analyses, or start, show, download or cancel one."""
    if context.invoked_subcommand is None:
        list_analyses(as_json=as_json)


@analyses.command()
def start(
    job: Job,
    kind: Annotated[
        str, typer.Argument(help="Such as curvature; `trainshed catalog analyses` lists the kinds.")
    ],
    *,
    checkpoint: Annotated[
        str, typer.Option(help="A checkpoint's id, last, initial, or best_<monitor>.")
    ] = "last",
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A parameter of the kind: samples=1000. Repeat the option for more.",
        ),
    ] = None,
    max_runtime_seconds: Annotated[
        int | None, typer.Option(min=1, help="The longest time; default: the limit of the job.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Wait for the result and show it.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Start an analysis of a checkpoint, and show its result.

    The same request again shows the earlier result. Interrupting the command does not end the
    analysis.
    """
    fields = {"checkpoint": checkpoint, "max_runtime_seconds": max_runtime_seconds}
    fields = with_changes(fields, set_ or [])
    if "kind" in fields:
        raise typer.BadParameter("the kind is the second argument", param_hint="--set")
    with connect() as client:
        analysis = client.analyse(job, kind, **fields)
        if not follow:
            print_json(analysis) if as_json else print_line(analysis["id"])
            return
        analysis = _wait(client, analysis)
    _print(analysis, as_json=as_json)
    if analysis["state"] != "succeeded":
        raise typer.Exit(BY_STATE[analysis["state"]])


@analyses.command("list")
def list_analyses(
    job: Annotated[
        str | None, typer.Argument(help=f"{JOB_HELP} Without it, analyses of all jobs.")
    ] = None,
    *,
    kind: Annotated[str | None, typer.Option(help="Such as curvature.")] = None,
    state: Annotated[str | None, typer.Option(help="Such as running.")] = None,
    owner: Annotated[str | None, typer.Option(help="Who requested them.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The maximum number of analyses.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List analyses, newest first."""
    with connect() as client:
        rows = client.analyses(job, limit=limit, kind=kind, state=state, owner=owner)
    print_json(rows) if as_json else print_analyses(console, rows, has_jobs=job is None)


@analyses.command()
def show(analysis: Id, *, as_json: AsJson = False) -> None:
    """Show an analysis: what it found, and its files."""
    with connect() as client:
        row = client.analysis(analysis)
    _print(row, as_json=as_json)


@analyses.command()
def download(
    analysis: Id,
    name: Annotated[str | None, typer.Argument(help="Only this file.")] = None,
    output: Output = ".",
    *,
    as_json: AsJson = False,
) -> None:
    """Download the files of an analysis: arrays (.npz) and pictures (.svg, .png)."""
    with connect() as client:
        listed = [file["name"] for file in client.analysis(analysis)["artifacts"]]
        names = listed if name is None else [name]
        target = output if name is not None or output.endswith("/") else f"{output}/"
        paths: list[str] = []
        for each in names:
            with transfer_progress(each) as progress:
                path = client.download_analysis(analysis, each, target, progress=progress)
            paths.append(str(path))
    if as_json:
        print_json({"paths": paths})
        return
    for path in paths:
        print_line(path)


@analyses.command()
def logs(
    analysis: Id,
    *,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="The number of an attempt; default: the newest.")
    ] = None,
) -> None:
    """Print what the process of an analysis wrote; usually little."""
    with connect() as client:
        sys.stdout.write(escaped(client.analysis_logs(analysis, attempt=attempt), keep="\n\t"))


@analyses.command()
def cancel(analysis: Id, *, as_json: AsJson = False) -> None:
    """Cancel an analysis that waits or runs."""
    with connect() as client:
        row = client.cancel_analysis(analysis)
    print_json(row) if as_json else print_line(f"{row['id']} is {_phase(row)}")


def _phase(row: dict[str, Any]) -> str:
    return "being cancelled" if row["state"] == "running" else row["state"]


def _print(analysis: dict[str, Any], *, as_json: bool) -> None:
    print_json(analysis) if as_json else print_analysis(console, analysis)


def _wait(client: Client, analysis: dict[str, Any]) -> dict[str, Any]:
    """Show the progress of an analysis on a terminal until it has ended; return it."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    is_shown = error_console.is_terminal
    with Progress(*columns, console=error_console, disable=not is_shown, transient=True) as bars:
        task = bars.add_task(escaped(analysis["state"]), total=1.0)

        def show_change(row: dict[str, Any]) -> None:
            fraction = (row["progress"] or {}).get("fraction", 0)
            bars.update(task, description=escaped(row["state"]), completed=fraction)

        return client.wait_for_analysis(analysis["id"], on_change=show_change)
