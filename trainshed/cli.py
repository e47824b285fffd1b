"""The command line of Trainshed: its commands put together, and its exit code.

Exit codes: 0 well, 1 the job failed, 2 refused or wrong usage, 3 the job was cancelled, 4 not
found, 5 the service does not answer, is at fault, or does not know the key; 130 interrupted.
"""

from typing import Annotated

import typer

from trainshed.commands import box, jobs, results
from trainshed.commands.common_options import Address
from trainshed.exit_codes import guarded

# Without frames of ours: what goes wrong is said in a sentence.
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    url: Annotated[str | None, typer.Option(help="the service's address")] = None,
) -> None:
    """Training jobs on the box that the team shares.

    Exit codes: 0 well, 1 the job failed, 2 refused or wrong usage, 3 the job was cancelled, 4 not
    found, 5 the service does not answer, is at fault, or does not know the key; 130 interrupted.
    """
    Address.url = url


for part in (jobs, results, box):
    app.add_typer(part.app)


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    return guarded(lambda: app(arguments, prog_name="trainshed", standalone_mode=False) or 0)
