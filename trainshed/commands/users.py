"""Commands for people: list, show, add, change, disable, enable."""

from typing import Annotated, Any

import typer

from trainshed.account_tables import print_user, print_users
from trainshed.commands.common_options import AsJson, connect, console, print_json
from trainshed.errors import WrongUsage

app = typer.Typer()
users = typer.Typer(help="Add, change and disable people, for admins; `users show` is for all.")
app.add_typer(users, name="users")

Name = Annotated[str, typer.Argument(help="The name of a person.")]
Role = Annotated[str | None, typer.Option(help="viewer, member or admin.")]
Weight = Annotated[float | None, typer.Option(help="The share of the box, relative to others.")]
Limits = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="NAME=NUMBER",
        help="A limit of this person, such as queued=20; NAME=default removes it. Names: running, "
        "queued, device_seconds_week, high_device_seconds_week, storage_mib, requests_per_second. "
        "Repeat the option for more.",
    ),
]


@users.callback(invoke_without_command=True)
def list_by_default(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the people, or show, add, change or disable one."""
    if context.invoked_subcommand is None:
        list_users(as_json=as_json)


@users.command("list")
def list_users(*, as_json: AsJson = False) -> None:
    """List the people, also the disabled."""
    with connect() as client:
        rows = client.users()
    print_json(rows) if as_json else print_users(console, rows)


@users.command()
def show(
    name: Annotated[str | None, typer.Argument(help="A person; default: yourself.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show a person with all limits and what is used of them."""
    with connect() as client:
        _print(client.me() if name is None else client.user(name), as_json=as_json)


@users.command()
def add(
    name: Name,
    *,
    role: Role = None,
    weight: Weight = None,
    limit: Limits = None,
    as_json: AsJson = False,
) -> None:
    """Add a person, by default a member. `trainshed keys make --user NAME` makes the first key."""
    limits = {each: value for each, value in _limits(limit).items() if value is not None}
    with connect() as client:
        row = client.add_user(name, role=role or "member", weight=weight, limits=limits)
    _print(row, as_json=as_json)


@users.command()
def change(
    name: Name,
    *,
    role: Role = None,
    weight: Weight = None,
    limit: Limits = None,
    as_json: AsJson = False,
) -> None:
    """Change the role, the weight or limits of a person."""
    changes: dict[str, Any] = {}
    changes |= {} if role is None else {"role": role}
    changes |= {} if weight is None else {"weight": weight}
    changes |= {} if not limit else {"limits": _limits(limit)}
    if not changes:
        raise WrongUsage("Name what to change: --role, --weight or --limit.")
    with connect() as client:
        _print(client.update_user(name, changes), as_json=as_json)


@users.command()
def disable(name: Name, *, as_json: AsJson = False) -> None:
    """Disable a person: their keys end at once, their jobs and data stay."""
    with connect() as client:
        _print(client.disable_user(name), as_json=as_json)


@users.command()
def enable(name: Name, *, as_json: AsJson = False) -> None:
    """Enable a disabled person, who then needs a new key."""
    with connect() as client:
        _print(client.update_user(name, {"disabled_at": None}), as_json=as_json)


def _limits(given: list[str] | None) -> dict[str, float | None]:
    """Return the limits of --limit by name; None for the limit of the settings.

    Raises:
        WrongUsage: one is not NAME=NUMBER.
    """
    limits: dict[str, float | None] = {}
    for text in given or ():
        name, separator, value = text.partition("=")
        try:
            number = None if value == "default" else float(value)
        except ValueError:
            separator = ""
            number = None
        if not separator:
            raise WrongUsage(f"--limit is {text!r}; it must be NAME=NUMBER or NAME=default.")
        is_whole = number is not None and number.is_integer()
        limits[name] = int(number) if is_whole and number is not None else number
    return limits


def _print(user: dict[str, Any], *, as_json: bool) -> None:
    print_json(user) if as_json else print_user(console, user)
