"""Requests about people and keys."""

from urllib.parse import quote

from trainshed.connection import Connection, Json, without_none


class AccountRequests(Connection):
    """Reads and changes the people who share the box, and their keys."""

    def me(self) -> Json:
        """Return the person whose key this client has."""
        return self._json("GET", "/v1/me")

    def users(self) -> list[Json]:
        """Return the people by name, the disabled too. Admins only, like all about others."""
        return [*self._pages("/v1/users")]

    def user(self, name: str) -> Json:
        """Return a person: oneself, or for admins anybody."""
        return self._json("GET", _user_path(name))

    def add_user(
        self,
        name: str,
        *,
        role: str = "member",
        weight: float | None = None,
        limits: Json | None = None,
    ) -> Json:
        """Add a person, who needs a key: `make_key` with `user`.

        Args:
            name: of the person.
            role: `viewer`, `member` or `admin`.
            weight: the share of the box, relative to the others; default 1.
            limits: what the person may use, where it is not the limit of the settings.
        """
        body = without_none({"name": name, "role": role, "weight": weight, "limits": limits})
        return self._json("POST", "/v1/users", json=body)

    def update_user(self, name: str, changes: Json) -> Json:
        """Change a person's role, weight or limits; `disabled_at: None` enables the account."""
        return self._json("PATCH", _user_path(name), json=changes)

    def disable_user(self, name: str) -> Json:
        """Disable a person: their keys end, their jobs stay."""
        return self._json("DELETE", _user_path(name))

    def keys(self, *, user: str | None = None) -> list[Json]:
        """Return the own keys, newest first; of admins all keys, or the keys of one person."""
        return [*self._pages("/v1/keys", user=user)]

    def make_key(
        self,
        name: str,
        *,
        scopes: list[str],
        expires_in_days: int | None = None,
        user: str | None = None,
    ) -> Json:
        """Make a key, which the response has once, as `key`.

        Args:
            name: what the key is for.
            scopes: of `read`, `submit`, `admin`; no more than the key of this client allows.
            expires_in_days: at most 365; default 90.
            user: whose key it is; for admins.
        """
        body = {"name": name, "scopes": scopes, "expires_in_days": expires_in_days, "user": user}
        return self._json("POST", "/v1/keys", json=without_none(body))

    def rotate_key(self, key_id: str, *, grace_seconds: int | None = None) -> Json:
        """Replace a key; the old key stays valid for the grace, by default an hour."""
        body = without_none({"grace_seconds": grace_seconds})
        return self._json("POST", f"{_key_path(key_id)}/rotate", json=body)

    def revoke_key(self, key_id: str) -> Json:
        """End a key and its sessions."""
        return self._json("DELETE", _key_path(key_id))


def _user_path(name: str) -> str:
    return f"/v1/users/{quote(name, safe='')}"


def _key_path(key_id: str) -> str:
    return f"/v1/keys/{quote(key_id, safe='')}"
