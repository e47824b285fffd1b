"""The columns of a table that a job uses, chosen by name."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.columns import name_problem
from shared.spec.fields import MAX_FEATURES
from worker.data.table.faults import (
    MAX_LISTED,
    TableFault,
    TableWarning,
    nearest_name,
    quoted,
    unknown_name,
)

#: Unknown features that come with the nearest name, which takes long among thousands.
MAX_NEAREST = 20


@dataclass
class Selection:
    """Positions of columns, and what is wrong with the choice."""

    #: None where no column has the name of the target.
    target: int | None = None
    features: list[int] = field(default_factory=list)
    #: The field of `dataset` that names each feature.
    fields: list[str] = field(default_factory=list)
    faults: list[TableFault] = field(default_factory=list)
    warnings: list[TableWarning] = field(default_factory=list)


def select(
    names: Sequence[str],
    index_columns: frozenset[int],
    *,
    target: str,
    features: Sequence[str] | None,
) -> Selection:
    """Choose the target and the features.

    Without `features`, all columns but the target and the index are features. An index column that
    is named is used like any other.
    """
    chosen = Selection()
    chosen.target = _target(chosen, names, target)
    if features is None:
        _choose_all(chosen, names, index_columns, target)
    else:
        _choose_named(chosen, names, target, features)
    if len(chosen.features) > MAX_FEATURES:
        count = f"has {len(chosen.features):,} features; at most {MAX_FEATURES:,} are allowed"
        chosen.faults.append(TableFault("features", f"{count}. Name fewer columns"))
        chosen.features, chosen.fields = [], []  # reading them would take long
    return chosen


def _target(chosen: Selection, names: Sequence[str], target: str) -> int | None:
    positions = [position for position, name in enumerate(names) if name == target]
    if not positions:
        text = f"{quoted(target)} is not a column.{unknown_name(target, names)}"
        chosen.faults.append(TableFault("target", text))
    elif len(positions) > 1:
        chosen.faults.append(TableFault("target", _duplicate(target, positions)))
    return positions[0] if len(positions) == 1 else None


def _choose_all(
    chosen: Selection, names: Sequence[str], index_columns: frozenset[int], target: str
) -> None:
    if target not in names:
        # The column that was probably meant is no feature; any could be, if none is similar.
        meant = nearest_name(target, names)
        if meant is None:
            return
        target = meant
    inputs = [p for p, name in enumerate(names) if name != target and p not in index_columns]
    problems = _unusable(names, inputs)
    if problems:
        chosen.faults.append(TableFault("features", _renaming(list(problems.values()))))
    elif not inputs:
        text = f"There is no column to predict {quoted(target)} from"
        left_out = " but the index" if index_columns else ""
        chosen.faults.append(TableFault("features", f"{text}{left_out}; add one"))
    chosen.features = [position for position in inputs if position not in problems]
    chosen.fields = ["features"] * len(chosen.features)
    for position in sorted(index_columns):
        if names[position] != target:
            chosen.warnings.append(_left_out(names[position], position))


def _unusable(names: Sequence[str], inputs: Sequence[int]) -> dict[int, str]:
    """Return why columns cannot be features, by position."""
    positions_of = _positions_of(names)
    problems = dict[int, str]()
    for position in inputs:
        name = names[position]
        problem = name_problem(name)
        if problem is not None:
            shown = f" ({quoted(name)})" if name else ""
            problems[position] = f"column {position + 1}{shown} {problem}"
        elif len(positions_of[name]) > 1:
            problems[position] = _duplicate(name, positions_of[name])
    return problems


def _positions_of(names: Sequence[str]) -> dict[str, list[int]]:
    positions_of = dict[str, list[int]]()
    for position, name in enumerate(names):
        positions_of.setdefault(name, []).append(position)
    return positions_of


def _choose_named(
    chosen: Selection, names: Sequence[str], target: str, features: Sequence[str]
) -> None:
    positions = _positions_of(names)
    seen = set[str]()
    unknown = 0
    for index, name in enumerate(features):
        place = f"features/{index}"
        if name == target:
            detail = f"{quoted(name)} is the target, so it cannot be a feature; leave it out"
        elif name in seen:
            detail = f"{quoted(name)} is named twice; name each column once"
        elif name not in positions:
            unknown += 1
            hint = unknown_name(name, names) if unknown <= MAX_NEAREST else ""
            detail = f"{quoted(name)} is not a column.{hint}".removesuffix(".")
        elif len(positions[name]) > 1:
            detail = _duplicate(name, positions[name])
        else:
            chosen.features.append(positions[name][0])
            chosen.fields.append(place)
            seen.add(name)
            continue
        seen.add(name)
        chosen.faults.append(TableFault(place, detail))


def _duplicate(name: str, positions: Sequence[int]) -> str:
    places = " and ".join(str(position + 1) for position in positions[:MAX_LISTED])
    return f"the columns {places} are both named {quoted(name)}; give each a different name"


def _renaming(problems: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(problems))  # columns of the same name have the same problem
    listed = "; ".join(distinct[:MAX_LISTED])
    more = len(distinct) - MAX_LISTED
    rest = f"; and {more:,} more columns" if more > 0 else ""
    return f"{listed}{rest}. Rename these columns, or name the others in `features`"


def _left_out(name: str, position: int) -> TableWarning:
    if not name.strip():
        detail = f"column {position + 1}, which has no name, is taken for row labels and left out"
        return TableWarning("features", detail, "To train on it, give it a name in the file.")
    detail = f"column {quoted(name)} is the index of the table and left out"
    return TableWarning("features", detail, "To train on it, name it in `features`.")
