"""Class folders: which class and split a picture belongs to, from its path."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from worker.data.uploads.faults import Fault, fault

TRAIN, VALIDATION, TEST = 0, 1, 2
#: Names of folders that stand for a split.
SPLITS = {
    "train": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "test": TEST,
}
LAYOUT = "put every picture into a folder named after its class: `cats/1.jpg`"


@dataclass(frozen=True)
class Placed:
    """A file in a class folder."""

    #: Its position in the list of paths.
    index: int
    label: int
    #: TRAIN, VALIDATION or TEST; TRAIN where there are no split folders.
    split: int


@dataclass
class Layout:
    """Class folders, with the files in them ordered by split, class and name."""

    class_names: tuple[str, ...]
    has_splits: bool
    placed: list[Placed] = field(default_factory=list[Placed])
    #: Files that stand in no class folder.
    faults: list[Fault] = field(default_factory=list[Fault])


def arrange(paths: Sequence[str]) -> Layout:
    """Return the classes and splits of files.

    A single top folder around everything is ignored. Folders are splits if all folders at the top
    are named as splits and have folders themselves.

    Args:
        paths: relative, with slashes.
    """
    parts = [path.split("/") for path in paths]
    first = {path[0] for path in parts}
    is_deep = any(len(path) > 2 for path in parts)
    if len(first) == 1 and is_deep and next(iter(first)).casefold() not in SPLITS:
        parts = [path[1:] for path in parts]
    tops = {path[0].casefold() for path in parts if len(path) > 1}
    has_splits = bool(tops) and tops <= set(SPLITS) and any(len(path) > 2 for path in parts)
    depth = 3 if has_splits else 2
    layout = Layout(tuple(sorted({path[-2] for path in parts if len(path) == depth})), has_splits)
    label_of = {name: label for label, name in enumerate(layout.class_names)}
    for index, path in enumerate(parts):
        if len(path) == depth:
            split = SPLITS[path[0].casefold()] if has_splits else TRAIN
            layout.placed.append(Placed(index, label_of[path[-2]], split))
        elif len(path) < depth:
            layout.faults.append(fault(paths[index], f"stands in no class folder; {LAYOUT}"))
        else:
            layout.faults.append(fault(paths[index], f"stands too deep; {LAYOUT}"))
    layout.placed.sort(key=lambda placed: (placed.split, placed.label, paths[placed.index]))
    return layout
