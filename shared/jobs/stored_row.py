"""The base of rows: what is read from the database is checked, column by column.

A column that holds something else than its type (edited by hand, written by a newer version) is
noticed here, by its name, instead of failing somewhere in the code that uses it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from types import UnionType
from typing import Any, ClassVar, Literal, Self, get_args, get_origin, get_type_hints

from shared.errors import RowUnreadable
from shared.jobs import unreadable_rows

#: What is wrong with a value of the right type; None if nothing is.
Check = Callable[[Any], str | None]
#: Of a column without NULL: what an integer column of PostgreSQL can still count up from.
MAX_COUNT = 2**31 - 2
MAX_SHOWN_LENGTH = 60
SHA256_LENGTH = 64


def check_count(value: int) -> str | None:
    """Check a number that counts something."""
    return None if 0 <= value <= MAX_COUNT else "is out of range"


def check_not_negative(value: int) -> str | None:
    """Check a number that is not negative."""
    return None if value >= 0 else "is negative"


def check_sha256(value: str) -> str | None:
    """Check a digest in hexadecimal."""
    is_digest = len(value) == SHA256_LENGTH and set(value) <= set("0123456789abcdef")
    return None if is_digest else "is no SHA-256 digest"


def check_objects(values: list[Any]) -> str | None:
    """Check a list of objects."""
    return None if all(isinstance(value, dict) for value in values) else "has an entry of no object"


def check_tags(tags: dict[str, Any]) -> str | None:
    """Check that the values of tags are texts."""
    are_texts = all(isinstance(value, str) for value in tags.values())
    return None if are_texts else "has a tag of no text"


def check_texts(values: list[Any] | None) -> str | None:
    """Check a list of texts, or None."""
    are_texts = all(isinstance(value, str) for value in values or ())
    return None if are_texts else "has an entry of no text"


@dataclass(frozen=True, kw_only=True)
class StoredRow:
    """A row of one table. Each field is a column, and its annotation the column's type."""

    TABLE: ClassVar[str]
    #: The columns that identify a row, as the error for an unreadable row names it.
    KEY: ClassVar[tuple[str, ...]] = ("id",)
    #: Further checks of columns that have the right type.
    CHECKS: ClassVar[Mapping[str, Check]] = {}

    @classmethod
    def faults(cls, values: Mapping[Any, Any]) -> dict[str, str]:
        """Return what is wrong with each column that cannot be read."""
        types_by_name, choices_by_name = _checks(cls)
        found: dict[str, str] = {}
        for name, types in types_by_name:
            if name not in values:
                found[name] = "is missing"
            elif type(values[name]) not in types:
                found[name] = f"is of type {type(values[name]).__name__}"
        for name, choices in choices_by_name:
            if name not in found and values[name] not in choices:
                found[name] = f"is {values[name][:MAX_SHOWN_LENGTH]!r}, which is unknown"
        for name, check in cls.CHECKS.items():
            if name not in found and (why := check(values[name])) is not None:
                found[name] = why
        return found

    @classmethod
    def read(cls, columns: Mapping[Any, Any]) -> Self:
        """Return the row with these columns.

        Raises:
            RowUnreadable: a column is missing or holds something that it cannot hold.
        """
        values = dict(columns)
        found = cls.faults(values)
        if found:
            raise cls.unreadable(values, found)
        return cls._of(values)

    @classmethod
    def read_all(cls, rows: Iterable[Mapping[Any, Any]]) -> list[Self]:
        """Return the readable rows of a result; the others are counted and logged."""
        readable: list[Self] = []
        for columns in rows:
            try:
                readable.append(cls.read(columns))
            except RowUnreadable as error:
                unreadable_rows.note(error)
        return readable

    @classmethod
    def unreadable(cls, values: Mapping[Any, Any], found: Mapping[str, str]) -> RowUnreadable:
        """Return the error for a row with these faults, which names the first."""
        row_id = "/".join(str(values.get(part)) for part in cls.KEY)
        column, why = next(iter(found.items()))
        return RowUnreadable(table=cls.TABLE, row_id=row_id, column=column, why=why)

    @classmethod
    def _of(cls, values: dict[Any, Any]) -> Self:
        row = cls.__new__(cls)
        row.__dict__.update(values)  # what the frozen __init__ does, at a tenth of its cost
        return row


def accepted_types(kind: type[StoredRow]) -> dict[str, frozenset[type]]:
    """Return the types that each column may have."""
    return dict(_checks(kind)[0])


Checks = tuple[list[tuple[str, frozenset[type]]], list[tuple[str, frozenset[str | None]]]]


@cache
def _checks(kind: type[StoredRow]) -> Checks:
    """Return the accepted types of each column, and the accepted values of closed lists."""
    types_by_name: list[tuple[str, frozenset[type]]] = []
    choices_by_name: list[tuple[str, frozenset[str | None]]] = []
    hints = get_type_hints(kind)
    for field in fields(kind):
        hint = hints[field.name]
        parts = get_args(hint) if _is_union(hint) else (hint,)
        types, choices = set[type](), set[str | None]()
        for part in parts:
            if get_origin(part) is Literal:
                types.add(str)
                choices.update(get_args(part))
            else:
                types.add(get_origin(part) or part)
        types_by_name.append((field.name, frozenset(types)))
        if choices:
            choices_by_name.append((field.name, frozenset(choices | {None})))
    return types_by_name, choices_by_name


def _is_union(hint: Any) -> bool:
    return isinstance(hint, UnionType) or type(None) in get_args(hint)
