"""The command line of Trainshed: its commands put together."""

from typing import Annotated

import typer

from trainshed import __version__
from trainshed.commands import (
    accounts,
    analyses,
    box,
    catalog,
    comparison,
    datasets,
    findings,
    jobs,
    lessons,
    metrics,
    predict,
    queue,
    results,
    weights,
)
from trainshed.commands.common_options import ServiceOptions, print_line
from trainshed.exit_codes import run_command

# Without typer's frames: errors are plain sentences.
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(value: bool) -> None:
    if value:
        print_line(f"trainshed {__version__}")
        raise typer.Exit


@app.callback()
def options(
    url: Annotated[
        str | None, typer.Option(help="The service's address; default: the box on this machine.")
    ] = None,
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Submit and follow training jobs on the team's box.

    Exit codes: 0 success, 1 the followed job failed, 2 wrong usage or a refused request, 3 the
    followed job was cancelled, 4 not found, 5 the service does not answer, fails, or rejects the
    key, 130 interrupted.
    """
    ServiceOptions.url = url


for group in (
    jobs,
    findings,
    lessons,
    metrics,
    comparison,
    results,
    predict,
    analyses,
    catalog,
    datasets,
    weights,
    queue,
    accounts,
    box,
):
    app.add_typer(group.app)


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    return run_command(lambda: app(arguments, prog_name="trainshed", standalone_mode=False) or 0)
