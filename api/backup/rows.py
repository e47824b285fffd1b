"""Rows of a table as lines of JSON, the same from SQLite and PostgreSQL, and back.

Times and JSON are texts as the database has them, so that a damaged value is kept as it is.
"""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import sqlalchemy as sa

#: Rows that are in memory at once, and rows of a part.
PAGE, PART_ROWS = 2_000, 100_000
#: Of SQLite's times, which have no time zone.
TIME = "YYYY-MM-DD HH24:MI:SS.US"
REVISION_TABLE = "alembic_version"

Columns = list[dict[str, Any]]


def columns_of(connection: sa.Connection) -> dict[str, Columns]:
    """Return the columns of every table, a table after the tables that it refers to."""
    inspector = sa.inspect(connection)
    # The last entry has the constraints of tables that refer to each other.
    names = [name for name, _ in inspector.get_sorted_table_and_fkc_names() if name is not None]
    return {
        name: [
            {"name": column["name"], "type": column["type"]}
            for column in inspector.get_columns(name)
        ]
        for name in names
        if name != REVISION_TABLE
    }


def read(connection: sa.Connection, table: str, columns: Columns) -> Iterator[list[Any]]:
    """Yield the rows of a table in pages, so that no table has to fit in memory."""
    quote = connection.dialect.identifier_preparer.quote
    if connection.dialect.name == "postgresql":
        selected = [_as_text(quote(each["name"]), each["type"]) for each in columns]
    else:
        selected = [quote(each["name"]) for each in columns]
    query = f"SELECT {', '.join(selected)} FROM {quote(table)}"  # noqa: S608 - names of the schema
    streaming = connection.execution_options(yield_per=PAGE)
    for row in streaming.exec_driver_sql(query):
        yield [_text(value) if isinstance(value, bytes) else value for value in row]


def write_parts(rows: Iterable[list[Any]], directory: Path) -> int:
    """Write rows to files `<n>.jsonl.gz`; return how many there are."""
    directory.mkdir(parents=True)
    file, count = None, 0
    try:
        for row in rows:
            if count % PART_ROWS == 0:
                if file is not None:
                    file.close()
                path = directory / f"{count // PART_ROWS:06}.jsonl.gz"
                file = gzip.open(path, "wb", compresslevel=1)  # noqa: SIM115
            assert file is not None
            file.write(json.dumps(row, separators=(",", ":")).encode() + b"\n")
            count += 1
    finally:
        if file is not None:
            file.close()
    return count


def insert_part(connection: sa.Connection, table: str, columns: Columns, file: BinaryIO) -> int:
    """Insert the rows of a part; return how many there are.

    Args:
        connection: in a transaction.
        table: of the rows.
        columns: in the order of the values.
        file: the part.
    """
    count = 0
    with gzip.open(file, "rb") as lines:
        if connection.dialect.name == "postgresql":
            return _copy(connection, table, columns, map(json.loads, lines))
        marks = ", ".join("?" * len(columns))
        insert = f"INSERT INTO {_names(connection, table, columns)} VALUES ({marks})"  # noqa: S608
        page: list[tuple[Any, ...]] = []
        for line in lines:
            page.append(tuple(map(_stored, json.loads(line))))
            if len(page) == PAGE:
                connection.exec_driver_sql(insert, page)
                count += len(page)
                page = []
        if page:
            connection.exec_driver_sql(insert, page)
    return count + len(page)


def read_sequences(connection: sa.Connection, tables: Iterable[str]) -> dict[str, int]:
    """Return the largest id that was ever generated, of each table that generates ids."""
    if connection.dialect.name != "postgresql":
        found = connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence")
        return {name: seq for name, seq in found if name in set(tables)}
    largest: dict[str, int] = {}
    for table, sequence in _postgresql_sequences(connection, tables):
        last, is_called = connection.exec_driver_sql(
            f"SELECT last_value, is_called FROM {sequence}"  # noqa: S608
        ).one()
        largest[table] = last if is_called else 0
    return largest


def set_sequences(connection: sa.Connection, largest: dict[str, int]) -> None:
    """Let no id be generated again that there ever was: cursors of readers refer to them."""
    if connection.dialect.name != "postgresql":
        for table, value in largest.items():
            connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            insert = "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)"
            connection.exec_driver_sql(insert, (table, value))
        return
    for table, sequence in _postgresql_sequences(connection, largest):
        if largest[table]:
            connection.execute(sa.select(sa.func.setval(sequence, largest[table])))


def _postgresql_sequences(
    connection: sa.Connection, tables: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """Yield the tables whose column `id` has a sequence, with its name."""
    for table, columns in columns_of(connection).items():
        if table in set(tables) and any(column["name"] == "id" for column in columns):
            find = sa.select(sa.func.pg_get_serial_sequence(table, "id"))
            sequence = connection.execute(find).scalar()
            if sequence is not None:
                yield table, sequence


def _copy(
    connection: sa.Connection, table: str, columns: Columns, rows: Iterable[list[Any]]
) -> int:
    cursor, count = connection.connection.cursor(), 0
    with cursor.copy(f"COPY {_names(connection, table, columns)} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
            count += 1
    cursor.close()
    return count


def _names(connection: sa.Connection, table: str, columns: Columns) -> str:
    quote = connection.dialect.identifier_preparer.quote
    return f"{quote(table)} ({', '.join(quote(each['name']) for each in columns)})"


def _as_text(name: str, kind: Any) -> str:
    if isinstance(kind, sa.JSON):
        return f"{name}::text"
    if isinstance(kind, sa.DateTime):
        text = f"to_char({name}, '{TIME}')"
        return f"CASE WHEN isfinite({name}) THEN {text} ELSE {name}::text END"
    return name


def _text(value: bytes) -> str:
    """Return bytes of a damaged row as text that JSON can hold."""
    return value.decode(errors="surrogateescape")


def _stored(value: Any) -> Any:
    if isinstance(value, str) and not value.isascii():
        data = value.encode(errors="surrogateescape")
        try:
            data.decode()
        except UnicodeDecodeError:
            return data
    return value
