"""A form that was sent after the end of its session: kept through the login, sent on request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import Request

from api.http.origin import check_origin
from shared.errors import Forbidden

#: Names of hidden fields of the login: the address of the form, and the beginning of its fields.
ADDRESS, FIELD = "saved", "saved:"
URL_ENCODED = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class SavedForm:
    """The address and the fields of a form."""

    address: str
    fields: list[tuple[str, str]]

    def hidden(self) -> list[tuple[str, str]]:
        """Return the names and values of hidden fields that carry the form through the login."""
        return [(ADDRESS, self.address), *((FIELD + name, value) for name, value in self.fields)]


async def save_form(request: Request) -> SavedForm | None:
    """Return the form that a request without a session carries; None for any other request.

    A form of a foreign page is not kept: the person would send it with a click.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method != "POST" or kind != URL_ENCODED:
        return None
    try:
        check_origin(request)
    except Forbidden:
        return None
    form = await request.form()
    return SavedForm(request.url.path, _texts(form.multi_items()))


def carried_form(fields: Sequence[tuple[str, object]]) -> SavedForm | None:
    """Return the form that the fields of a login carry."""
    texts: Mapping[str, str] = dict(_texts(fields))
    address = texts.get(ADDRESS, "")
    if not address.startswith("/") or address.startswith(("//", "/\\")):
        return None
    saved = [
        (name.removeprefix(FIELD), value)
        for name, value in _texts(fields)
        if name.startswith(FIELD)
    ]
    return SavedForm(address, saved)


def _texts(fields: Sequence[tuple[str, object]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in fields if isinstance(value, str)]
