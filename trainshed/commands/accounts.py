"""Commands for accounts: login, logout, and the groups `users` and `keys`."""

import os
import sys
from typing import Annotated

import typer

from trainshed.address import service_url
from trainshed.client import Client
from trainshed.commands import keys, users
from trainshed.commands.common_options import ServiceOptions, error_console, print_line
from trainshed.errors import WrongUsage
from trainshed.logins import forget_key, store_key

app = typer.Typer()
app.add_typer(users.app)
app.add_typer(keys.app)


@app.command()
def login(
    url: Annotated[
        str | None, typer.Argument(help="The service's address; default: as of all commands.")
    ] = None,
) -> None:
    """Check a key and store it for this service, so that the other commands find it.

    The key is typed in or read from standard input, never an argument: arguments are in the lists
    of processes and in histories.
    """
    address = service_url(url or ServiceOptions.url)
    key = _read_key()
    with Client(address, key) as client:
        person = client.me()
    path = store_key(address, key)
    print_line(f"{person['name']} ({person['role']}) is logged in at {address}.")
    error_console.print(f"The key is stored in {path}, which only you can read.", soft_wrap=True)
    if os.environ.get("TRAINSHED_ADMIN_KEY"):
        text = "TRAINSHED_ADMIN_KEY is set and takes precedence over the stored key."
        error_console.print(text, soft_wrap=True)


@app.command()
def logout(
    url: Annotated[
        str | None, typer.Argument(help="The service's address; default: as of all commands.")
    ] = None,
) -> None:
    """Delete the stored key of a service. The key stays valid; `keys revoke` ends it."""
    address = service_url(url or ServiceOptions.url)
    is_deleted = forget_key(address)
    print_line(f"{'Deleted the' if is_deleted else 'There is no'} stored key of {address}.")


def _read_key() -> str:
    """Return the key that the user types, or the first line of standard input.

    Raises:
        WrongUsage: there is none.
    """
    if sys.stdin.isatty():
        key = typer.prompt("Key", hide_input=True, err=True)
    else:
        key = sys.stdin.readline()
    if not key.strip():
        raise WrongUsage("Standard input has no key.")
    return key.strip()
