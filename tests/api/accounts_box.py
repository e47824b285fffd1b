"""An application in this process with people, keys and objects of different owners."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.testclient import TestClient

from api.app import create_app
from api.services.principal import Visibility
from shared import tables
from shared.accounts import keys, users
from shared.accounts.roles import Role, Scope
from shared.database import Database
from shared.jobs import submission
from shared.jobs.submission import Submission
from shared.settings import Settings
from tests.api.service import KEY
from tests.databases import make_tables
from tests.shared.specs import filled_in

#: One person of each role, a second member, and somebody whom the tests may change.
PEOPLE: dict[str, Role] = {
    "vera": "viewer",
    "mia": "member",
    "otto": "member",
    "ada": "admin",
    "zoe": "viewer",
}


@dataclass
class AccountsBox:
    """The application, its database, and the keys of people by name and scope."""

    app: FastAPI
    database: Database
    client: TestClient
    keys: dict[tuple[str, str], str] = field(default_factory=dict)

    def headers(self, name: str, scope: Scope) -> dict[str, str]:
        """Return the header of a person's key with this scope."""
        if name == "admin":
            return {"Authorization": f"Bearer {KEY}"}
        if (name, scope) not in self.keys:
            with self.database.write() as connection:
                made = keys.add_key(connection, name, scope, [scope], timedelta(days=1))
            self.keys[name, scope] = made.text
        return {"Authorization": f"Bearer {self.keys[name, scope]}"}

    def request(
        self, name: str, scope: Scope, method: str, path: str, body: Any = None, **headers: str
    ) -> Any:
        """Make a request with a person's key."""
        return self.client.request(
            method, path, json=body, headers={**self.headers(name, scope), **headers}
        )

    def set_visibility(self, visibility: Visibility) -> None:
        """Set what people see of each other from now on."""
        authenticator = self.app.state.services.authenticator
        authenticator.visibility = visibility
        authenticator._known.clear()

    def add_job(self, owner: str, **changes: Any) -> str:
        """Record a queued job."""
        with self.database.write() as connection:
            return submission.submit(
                connection, Submission(owner=owner, spec=filled_in(**changes))
            )[0]

    def rows(self, table: sa.Table) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(sa.select(table)).mappings())

    def audit(self) -> list[tuple[str, str, str]]:
        """Return user, action and object of each change, oldest first."""
        rows = sorted(self.rows(tables.audit), key=lambda row: row["id"])
        return [(row["user"], row["action"], row["object"]) for row in rows]


@contextmanager
def accounts_box(database_url: str, home: Path, **settings: Any) -> Iterator[AccountsBox]:
    """Yield the application over a database with the people above.

    Args:
        database_url: of SQLite, or of a PostgreSQL database with the newest tables.
        home: the directory of the box.
        settings: further settings.
    """
    chosen = Settings(home=home, database_url=database_url, admin_key=SecretStr(KEY), **settings)
    chosen.make_directories()
    database = Database(database_url)
    if database.is_sqlite:
        make_tables(database)
    with database.write() as connection:
        connection.execute(sa.delete(tables.users).where(tables.users.c.name.in_([*PEOPLE])))
        for name, role in PEOPLE.items():
            users.add_user(connection, name, role, weight=1.0, limits={})
    app = create_app(chosen)
    # The test writes to the database like a worker, and reads at once.
    app.state.services.responses.version.postgresql_seconds = 0.0
    client = TestClient(app, base_url="http://localhost")
    try:
        yield AccountsBox(app, database, client)
    finally:
        app.state.services.close()
        database.close()
