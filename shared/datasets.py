"""The built-in data sets: what they are, whether they are at hand, how many images a split gets.

Facts and arithmetic only: reading and decoding images is the worker's (`worker.data`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VALIDATION_PERCENT = 15
TEST_PERCENT = 15
#: The target of a regression on images: the angle by which each image is turned.
ROTATION_TARGET = "rotation"


@dataclass(frozen=True, kw_only=True)
class DatasetFacts:
    """What is known of a data set before a single image is read."""

    name: str
    title: str
    summary: str
    classes: tuple[str, ...]
    #: images that training and validation (and test, without a test split of its own) draw from
    train: int
    #: images of its own test split, 0 where it has none
    test: int
    image_size: int
    channels: int
    licence: str
    source: str
    #: how it can be had, in the order in which it is looked for
    ways: tuple[str, ...]
    #: what has to lie in `data/<name>` of the home directory, or in `installed`
    files: tuple[str, ...] = ()
    installed: str = ""
    synthetic: bool = False
    #: what else than its classes can be asked for: numbers, by name
    number_targets: tuple[str, ...] = ()
    #: of a table: the columns that go in, once it is known which
    features: tuple[str, ...] = ()
    #: of a synthetic set: images of each split unless asked, and the most that are made
    defaults: tuple[int, int, int] = (0, 0, 0)
    most: int = 0

    def as_json(self) -> dict[str, Any]:
        """The facts as the API gives them."""
        return {
            "name": self.name,
            "title": self.title,
            "summary": self.summary,
            "classes": list(self.classes),
            "train": self.train,
            "test": self.test,
            "image_size": self.image_size,
            "channels": self.channels,
            "licence": self.licence,
            "source": self.source,
            "synthetic": self.synthetic,
            "number_targets": list(self.number_targets),
            "ways": list(self.ways),
        }


FASHION_MNIST = DatasetFacts(
    name="fashion-mnist",
    title="Fashion-MNIST",
    summary="70,000 real photographs of clothes in 10 classes, 28×28 grey; 10,000 are for testing.",
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    train=60_000,
    test=10_000,
    image_size=28,
    channels=1,
    licence="MIT",
    source="Xiao, Rasul, Vollgraf: Fashion-MNIST, 2017, arXiv 1708.07747",
    ways=(
        "TRAINSHED_HOME/data/fashion-mnist",
        "Debian's package dataset-fashion-mnist, installed",
        "apt-get download dataset-fashion-mnist, without root",
        "its published address",
    ),
    files=(
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
    ),
    installed="/usr/share/datasets/fashion-mnist",
)

DIGITS = DatasetFacts(
    name="digits",
    title="Handwritten digits",
    summary="1,797 real scans of handwritten digits, 8×8 grey: small and always there.",
    classes=tuple("0123456789"),
    train=1_797,
    test=0,
    image_size=8,
    channels=1,
    licence="CC BY 4.0",
    source="Alpaydin, Kaynak: Optical Recognition of Handwritten Digits, UCI, 1998 (test part)",
    ways=("ships with scikit-learn",),
    number_targets=(ROTATION_TARGET,),
)

CIFAR10 = DatasetFacts(
    name="cifar10",
    title="CIFAR-10",
    summary="60,000 real colour photographs in 10 classes, 32×32; 10,000 are for testing.",
    classes=(
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ),
    train=50_000,
    test=10_000,
    image_size=32,
    channels=3,
    licence="none stated by its authors",
    source="Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009",
    ways=(
        "TRAINSHED_HOME/data/cifar10/cifar-10-binary.tar.gz",
        "its published address",
    ),
    files=("cifar-10-binary.tar.gz",),
)

SYNTHETIC = DatasetFacts(
    name="synthetic",
    title="Synthetic shapes and textures",
    summary="Not photographs: seeded drawings of 5 shapes and 5 textures in colour, of any size.",
    classes=(
        "circle",
        "square",
        "triangle",
        "ring",
        "cross",
        "horizontal stripes",
        "vertical stripes",
        "diagonal stripes",
        "checks",
        "dots",
    ),
    train=2_000,
    test=0,
    image_size=32,
    channels=3,
    licence="MIT",
    source="Made by Trainshed from a fixed seed",
    ways=("made when asked for",),
    synthetic=True,
    defaults=(1_400, 300, 300),
    most=100_000,
)

#: Rows, columns and classes are those of the file that a specification names.
TABLE = DatasetFacts(
    name="table",
    title="A table of your own",
    summary="A CSV or parquet file on the box, by its columns' names: for linear and mlp.",
    classes=(),
    train=0,
    test=0,
    image_size=1,
    channels=0,
    licence="the file's own",
    source="the file",
    ways=("TRAINSHED_HOME/data/table",),
)
TABLE_ENDINGS = (".csv", ".parquet")

FACTS: Mapping[str, DatasetFacts] = {
    facts.name: facts for facts in (CIFAR10, DIGITS, FASHION_MNIST, SYNTHETIC, TABLE)
}


def tables_of(home: Path) -> list[str]:
    """The names of the tables on the box, sorted."""
    found = (home / "data" / TABLE.name).glob("*")
    return sorted(path.name for path in found if path.suffix in TABLE_ENDINGS)


def is_at_hand(name: str, home: Path) -> bool:
    """Whether a training could start on the set without fetching anything; looks at files only.

    Args:
        name: of a built-in data set.
        home: the box's directory (TRAINSHED_HOME).
    """
    if name == TABLE.name:
        return bool(tables_of(home))
    facts = FACTS[name]
    places = [home / "data" / name, *([Path(facts.installed)] if facts.installed else [])]
    if any(all((place / file).is_file() for file in facts.files) for place in places):
        return True
    return any((home / "cache").glob(f"{name}-*.json"))


@dataclass(frozen=True)
class SplitCounts:
    """How many images each split has."""

    train: int
    validation: int
    test: int

    @property
    def total(self) -> int:
        """All three together."""
        return self.train + self.validation + self.test


@dataclass(frozen=True)
class SplitFault:
    """What is wrong with one figure: `field` is train, validation or test."""

    field: str
    message: str


class SplitsRefused(Exception):
    """The figures asked for cannot be had; `faults` names each."""

    def __init__(self, faults: list[SplitFault]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = tuple(faults)


def resolve_splits(
    facts: DatasetFacts,
    *,
    train: int | None = None,
    validation: int | None = None,
    test: int | None = None,
) -> SplitCounts:
    """Fill in the figures that were not asked for; explicit ones come first.

    Without figures: 70/15/15 % of what is there, or the set's own test split and 85/15 % of the
    rest. Beside an explicit figure, validation and test take at most their 15 %, and train
    takes all that is left.

    Raises:
        SplitsRefused: with every fault at once.
    """
    asked = {"train": train, "validation": validation, "test": test}
    faults = [
        SplitFault(field, f"{field} {count} asked; at least 1 image is needed")
        for field, count in asked.items()
        if count is not None and count < 1
    ]
    if faults:
        raise SplitsRefused(faults)
    if facts.synthetic:
        return _made(facts, asked)
    if not facts.test:
        return SplitCounts(**_shared_out(facts.train, asked, faults))
    own_test = asked.pop("test") or facts.test
    if own_test > facts.test:
        faults.append(
            SplitFault(
                "test", f"test {own_test} asked, the test split of {facts.name} has {facts.test}"
            )
        )
    return SplitCounts(**_shared_out(facts.train, asked, faults), test=own_test)


def _made(facts: DatasetFacts, asked: Mapping[str, int | None]) -> SplitCounts:
    """The figures of a set that is made as large as it is asked for."""
    counts = SplitCounts(
        **{
            field: default if count is None else count
            for (field, count), default in zip(asked.items(), facts.defaults, strict=True)
        }
    )
    if counts.total > facts.most:
        largest = max(asked, key=lambda field: asked[field] or 0)
        message = (
            f"train {counts.train}, validation {counts.validation} and test {counts.test} are "
            f"{counts.total} images; at most {facts.most} are made"
        )
        raise SplitsRefused([SplitFault(largest, message)])
    return counts


def _shared_out(
    available: int, asked: Mapping[str, int | None], faults: list[SplitFault]
) -> dict[str, int]:
    """Share `available` images out among the fields; adds its faults to `faults`.

    Raises:
        SplitsRefused: there are faults, these or earlier ones.
    """
    left, counts = available, dict[str, int]()
    for field, count in asked.items():
        if count is None:
            continue
        taken = " and ".join(f"{name} {number}" for name, number in counts.items())
        if count > left:
            after = f" after {taken}" if taken else ""
            message = f"{field} {count} asked, {left} are left of {available}{after}"
            faults.append(SplitFault(field, message))
        else:
            counts[field] = count
            left -= count
    missing = [field for field, count in asked.items() if count is None]
    if not faults and left < len(missing):
        taken = " and ".join(f"{name} {number}" for name, number in counts.items())
        message = (
            f"{taken} asked leaves {left} of {available} for {' and '.join(missing)}; "
            f"at least {len(missing)} must be left"
        )
        faults.append(SplitFault(list(counts)[-1], message))
    if faults:
        raise SplitsRefused(faults)
    percent = {"validation": VALIDATION_PERCENT, "test": TEST_PERCENT}
    percent["train"] = 100 - sum(percent[field] for field in asked if field != "train")
    weight = sum(percent[field] for field in missing)
    for field in missing:
        if field != "train":
            share = min(available * percent[field] // 100, left * percent[field] // weight)
            counts[field] = max(1, share)
    if "train" in missing:
        counts["train"] = available - sum(counts.values())
    return counts
