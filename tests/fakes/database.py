"""A database that is unavailable when a test needs it to be."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from shared.database import Database
from shared.errors import Unavailable


class FlakyDatabase(Database):
    """A real database whose next writes fail, before they are stored or after."""

    #: The next writes that are not stored.
    refused_writes = 0
    #: The next writes that are stored and not confirmed.
    unconfirmed_writes = 0

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        if self.refused_writes:
            self.refused_writes -= 1
            raise Unavailable
        with super().write() as connection:
            yield connection
        if self.unconfirmed_writes:
            self.unconfirmed_writes -= 1
            raise Unavailable
