"""The end of a message about an unknown name: what was probably meant, and what is allowed."""

import difflib
from collections.abc import Collection, Iterable, Sequence

from api.catalog.foreign_names import FOREIGN, Foreign
from api.catalog.places import FIELD, METRIC, PARAMETER, Place, folded, places
from api.http.faults import available, quoted

MAX_PLACES = 2
#: How similar a name must be to count as a slip of the keyboard.
SLIP = 0.8
SIMILAR = 0.5
FINE_TUNING = "/fine_tuning/"
STAGES = "/fine_tuning/stages"


def hint(name: str, names: Iterable[str]) -> str:
    """Return the end of a message about an unknown name.

    Args:
        name: the unknown name.
        names: the names that are allowed in its place.

    Returns:
        The name that was probably meant, or where the name belongs, and the allowed names.
    """
    names = sorted(names)
    meaning = _known(name, names) or _elsewhere(name) or _nearest(name, names, SIMILAR)
    return f"{meaning}{available(names)}"


def spelling_hint(name: str, names: Iterable[str]) -> str:
    """Return the hint for a name that only its user gives, as a class of a data set.

    Args:
        name: the unknown name.
        names: the names that are allowed in its place.
    """
    names = sorted(names)
    return f"{_nearest(name, names, SIMILAR)}{available(names)}"


def _known(name: str, names: list[str]) -> str:
    """Return the hint at an allowed name in another spelling or by its foreign name."""
    key = folded(name)
    if exact := [other for other in names if folded(other) == key]:
        return _did_you_mean(exact)
    note = ""
    fitting: list[str] = []
    if foreign := FOREIGN.get(key):
        fitting, note = [other for other in foreign.names if other in names], foreign.note
    return _did_you_mean(fitting, note) if fitting else _nearest(name, names, SLIP)


def _nearest(name: str, names: list[str], similarity: float) -> str:
    by_folded = {folded(other): other for other in names}
    nearest = difflib.get_close_matches(folded(name), by_folded, n=1, cutoff=similarity)
    return _did_you_mean([by_folded[nearest[0]]]) if nearest else ""


def _elsewhere(name: str) -> str:
    """Return where a name belongs that stands for something elsewhere; else nothing."""
    key = folded(name)
    foreign, found = FOREIGN.get(key), places().get(key, ())
    methods = [place for place in found if _is_method(place)]
    fields = [place for place in found if place.noun == FIELD]
    if any(place.noun != FIELD for place in found):  # most jobs have no fine-tuning
        fields = [place for place in fields if not place.pointer.startswith(FINE_TUNING)]
    if fields:
        return _place(fields) + (_note(foreign.note) if foreign else "")
    if foreign is not None:
        return _foreign(foreign)
    return _place(methods or found) if found else ""


def _is_method(place: Place) -> bool:
    return place.noun not in {FIELD, METRIC} and not place.noun.startswith(PARAMETER)


def _did_you_mean(names: Collection[str], note: str = "") -> str:
    return f"Did you mean {' or '.join(map(quoted, names))}? {_note(note)}"


def _note(note: str) -> str:
    return f"Note: {note}. " if note else ""


def _foreign(foreign: Foreign) -> str:
    if not foreign.names:
        return f"{foreign.note[0].upper()}{foreign.note[1:]}. "
    name = foreign.names[0]
    found = [place for place in places()[folded(name)] if place.pointer.startswith(foreign.under)]
    return f"{_did_you_mean([name])}{_place(found)}{_note(foreign.note)}"


def _place(found: Sequence[Place]) -> str:
    """Return where a name belongs: the places of the job before the places of its stages."""
    chosen = [place for place in found if not place.pointer.startswith(STAGES)] or found
    name, noun, pointer = chosen[0]
    pointers = [f"`{place.pointer}`" for place in chosen[:MAX_PLACES] if place.noun == noun]
    if noun == FIELD:
        return f"Move it to {' or '.join(pointers)}. "
    if noun == METRIC:
        return f"{quoted(name)} is a metric, which `monitor` can name. "
    if noun.startswith(PARAMETER):
        methods = dict.fromkeys(place.noun.removeprefix(PARAMETER) for place in chosen)
        return f"{quoted(name)} is {PARAMETER}{' or '.join(list(methods)[:MAX_PLACES])}. "
    return f"{quoted(name)} is {noun}: move it to `{pointer}`. "
