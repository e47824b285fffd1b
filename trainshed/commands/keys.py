"""Commands for keys: list, make, rotate, revoke."""

from typing import Annotated, Any

import typer

from trainshed.account_tables import print_keys
from trainshed.commands.common_options import (
    AsJson,
    connect,
    console,
    error_console,
    print_json,
    print_line,
)

app = typer.Typer()
keys = typer.Typer(help="List, make, rotate and revoke keys.")
app.add_typer(keys, name="keys")

KeyId = Annotated[str, typer.Argument(metavar="ID", help="The id of a key: key_ and more.")]
User = Annotated[str | None, typer.Option(help="A person, for admins; default: yourself.")]


@keys.callback(invoke_without_command=True)
def list_by_default(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the keys, or make, rotate or revoke one."""
    if context.invoked_subcommand is None:
        list_keys(as_json=as_json)


@keys.command("list")
def list_keys(
    *,
    user: Annotated[str | None, typer.Option(help="Only the keys of this person.")] = None,
    as_json: AsJson = False,
) -> None:
    """List your keys, newest first; as an admin all keys. Nobody can read a key again."""
    with connect() as client:
        rows = client.keys(user=user)
    print_json(rows) if as_json else print_keys(console, rows)


@keys.command()
def make(
    name: Annotated[str, typer.Argument(help="What the key is for, such as a machine.")],
    *,
    scope: Annotated[
        str, typer.Option(help="read, submit or admin; each includes those before.")
    ] = "submit",
    days: Annotated[
        int | None, typer.Option(help="How long it is valid, at most 365; default 90.")
    ] = None,
    user: User = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it. It is shown this once."""
    with connect() as client:
        made = client.make_key(name, scopes=[scope], expires_in_days=days, user=user)
    _print_new(made, as_json=as_json)


@keys.command()
def rotate(
    key_id: KeyId,
    *,
    grace_seconds: Annotated[
        int | None,
        typer.Option(help="How long the old key stays valid, at most 86400; default 3600."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Replace a key by a new key of the same person, scopes and lifetime, and print it."""
    with connect() as client:
        made = client.rotate_key(key_id, grace_seconds=grace_seconds)
    _print_new(made, as_json=as_json)


@keys.command()
def revoke(key_id: KeyId, *, as_json: AsJson = False) -> None:
    """End a key and its sessions at once."""
    with connect() as client:
        row = client.revoke_key(key_id)
    print_json(row) if as_json else print_keys(console, [row])


def _print_new(made: dict[str, Any], *, as_json: bool) -> None:
    """Print the key alone on standard output, so that it can be piped."""
    if as_json:
        print_json(made)
        return
    print_line(made["key"])
    ends = made["expires_at"][:10]
    error_console.print(
        f"{made['id']} of {made['user']}, valid until {ends}. The key is shown this once; "
        "`trainshed login` stores it.",
        soft_wrap=True,
    )
