"""What a person and a key may do: a role and the scopes of a key, both on the same scale."""

from collections.abc import Iterable
from enum import IntEnum
from typing import Literal, get_args

Role = Literal["viewer", "member", "admin"]
Scope = Literal["read", "submit", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
SCOPES: tuple[Scope, ...] = get_args(Scope)
#: The user of TRAINSHED_ADMIN_KEY, who exists from the first start on.
ADMIN = "admin"


class Level(IntEnum):
    """How far a right goes; each level includes those below."""

    READ = 1
    SUBMIT = 2
    ADMIN = 3


def level_of_role(role: Role) -> Level:
    """Return the highest level of a role."""
    return Level(ROLES.index(role) + 1)


def level_of_scopes(scopes: Iterable[Scope]) -> Level:
    """Return the highest level of a key's scopes, of which there is at least one."""
    return Level(max(SCOPES.index(scope) for scope in scopes) + 1)
