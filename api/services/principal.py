"""Who makes a request, and what they may do.

A right is the role of a person limited by the scopes of the key. Each right needs a level; what the
level may reach of other people is decided by the visibility of the box.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from shared.accounts.audit import Actor
from shared.accounts.roles import Level, Role, level_of_role
from shared.errors import Forbidden

RightName = Literal[
    "account:read",
    "audit:read",
    "backup:read",
    "box:read",
    "datasets:read",
    "datasets:register",
    "datasets:write",
    "jobs:read",
    "jobs:write",
    "keys:read",
    "keys:write",
    "users:read",
    "users:write",
    "weights:read",
    "weights:write",
]
#: The level that each right needs. Who is no admin reads only their own entries of the audit.
#: `box:read` is for what everybody may read: the catalogue, queue,
#: devices. A key can always make keys that may do no more than itself.
LEVELS: dict[RightName, Level] = {
    "account:read": Level.READ,
    "audit:read": Level.READ,
    "backup:read": Level.ADMIN,
    "box:read": Level.READ,
    "datasets:read": Level.READ,
    "datasets:register": Level.ADMIN,
    "datasets:write": Level.SUBMIT,
    "jobs:read": Level.READ,
    "jobs:write": Level.SUBMIT,
    "keys:read": Level.READ,
    "keys:write": Level.READ,
    "users:read": Level.ADMIN,
    "users:write": Level.ADMIN,
    "weights:read": Level.READ,
    "weights:write": Level.SUBMIT,
}
assert LEVELS.keys() == set(get_args(RightName))
#: Names of the levels as a role and as a scope, for messages.
ROLE_OF: dict[Level, str] = {Level.READ: "viewer", Level.SUBMIT: "member", Level.ADMIN: "admin"}
SCOPE_OF: dict[Level, str] = {Level.READ: "read", Level.SUBMIT: "submit", Level.ADMIN: "admin"}

Visibility = Literal["queue", "team", "private"]


@dataclass(frozen=True)
class Principal:
    """The person whose key a request has, with the scopes of the key."""

    name: str
    role: Role
    #: The highest level of the key's scopes.
    scope: Level
    #: `admin` for the key of the settings.
    key_id: str
    visibility: Visibility = "queue"
    request_id: str = ""
    #: The session of a browser; empty where the request has the key itself.
    session_id: str = ""

    @property
    def level(self) -> Level:
        """What this person may do with this key."""
        return min(level_of_role(self.role), self.scope)

    @property
    def is_admin(self) -> bool:
        """Whether everybody's objects may be read and changed."""
        return self.level is Level.ADMIN

    @property
    def reads_all(self) -> bool:
        """Whether everybody's objects may be read."""
        return self.is_admin or self.visibility == "team"

    @property
    def only_owner(self) -> str | None:
        """The only owner whose objects may be read; None for all. For queries."""
        return None if self.reads_all else self.name

    @property
    def actor(self) -> Actor:
        """Who changes something, for the audit."""
        return Actor(self.name, self.key_id, self.request_id)

    def may_read(self, owner: str) -> bool:
        """Return whether an owner's objects may be read."""
        return self.reads_all or owner == self.name

    def may_change(self, owner: str) -> bool:
        """Return whether an owner's objects may be changed, given the right to change."""
        return self.is_admin or owner == self.name

    def knows_owner(self, owner: str) -> bool:
        """Return whether the owner of an object in the queue or on a device is shown."""
        return self.may_read(owner) or self.visibility != "private"

    def require(self, right: RightName) -> None:
        """Check that this person and key have a right.

        Raises:
            Forbidden: the role or the scopes of the key do not allow it.
        """
        needed = LEVELS[right]
        if level_of_role(self.role) < needed:
            raise Forbidden(
                f"{self.name} has the role {self.role}; this needs the role {ROLE_OF[needed]}. "
                "Ask an admin.",
                right=right,
                role=self.role,
            )
        if self.scope < needed:
            raise Forbidden(
                f"The key has the scope {SCOPE_OF[self.scope]}; this needs the scope "
                f"{SCOPE_OF[needed]}. Use another key.",
                right=right,
                scope=SCOPE_OF[self.scope],
            )


def acting_for(owner: str, visibility: Visibility) -> Principal:
    """Return the principal with which the service does something for an owner by itself."""
    return Principal(owner, "member", Level.SUBMIT, key_id="", visibility=visibility)
