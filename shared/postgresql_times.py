"""How times of PostgreSQL are read. The only importer of psycopg, which SQLite does not need."""

from typing import Any

import psycopg
from psycopg.adapt import Loader
from psycopg.pq import Format


def register(connection: psycopg.Connection[Any]) -> None:
    """Read the times of a connection such that no stored time is an error."""
    connection.adapters.register_loader("timestamptz", TimeLoader)


class TimeLoader(Loader):
    """Reads a time; unchanged as text where Python has no such time.

    These are `infinity` and years that are not 1 to 9999.
    """

    def __init__(self, oid: int, context: Any = None) -> None:
        super().__init__(oid, context)
        default = psycopg.adapters.get_loader(oid, Format.TEXT)
        assert default is not None, "psycopg reads times"
        self._loader = default(oid, context)

    def load(self, data: Any) -> Any:
        """Return the time."""
        try:
            return self._loader.load(data)
        except psycopg.DataError:
            return bytes(data).decode()
