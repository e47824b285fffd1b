"""People and keys for people."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from trainshed.escaping import escaped
from trainshed.formatting import timestamp

Json = dict[str, Any]


def print_users(console: Console, users: list[Json]) -> None:
    """Print people with their roles and what they use of what is limited."""
    table = Table("name", "role", "weight", "running", "waiting", "storage", "disabled")
    for user in escaped(users):
        table.add_row(
            user["name"],
            user["role"],
            f"{user['weight']:g}",
            _of_limit(user, "running"),
            _of_limit(user, "queued"),
            f"{_of_limit(user, 'storage_mib')} MiB",
            timestamp(user["disabled_at"]) if user["disabled_at"] else "",
        )
    console.print(table)


def print_user(console: Console, user: Json) -> None:
    """Print a person, with every limit."""
    user = escaped(user)
    disabled = f", disabled {timestamp(user['disabled_at'])}" if user["disabled_at"] else ""
    weight = f"weight {user['weight']:g}"
    console.print(f"{user['name']}: {user['role']}, {weight}{disabled}", soft_wrap=True)
    table = Table("limit", "used", "allowed")
    for name, limit in user["limits"].items():
        used = user["usage"].get(name)
        allowed = "no limit" if limit is None else f"{limit:,g}"
        table.add_row(name, "" if used is None else f"{used:,g}", allowed)
    console.print(table)


def print_keys(console: Console, keys: list[Json]) -> None:
    """Print keys without their secrets."""
    table = Table("id", "of", "name", "begins", "scopes", "ends", "last used", "state")
    for key in escaped(keys):
        table.add_row(
            key["id"],
            key["user"],
            key["name"],
            key["prefix"],
            ", ".join(key["scopes"]),
            timestamp(key["expires_at"]),
            timestamp(key["last_used_at"]) if key["last_used_at"] else "never",
            _state(key),
        )
    console.print(table)


def _state(key: Json) -> str:
    if key["revoked_at"]:
        return "revoked"
    is_over = datetime.fromisoformat(key["expires_at"]) <= datetime.now(UTC)
    return "expired" if is_over else "valid"


def _of_limit(user: Json, name: str) -> str:
    used, limit = user["usage"].get(name, 0), user["limits"].get(name)
    return f"{used:,g}" if limit is None else f"{used:,g} of {limit:,g}"
