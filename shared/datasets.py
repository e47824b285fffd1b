"""The built-in data sets: their facts, and whether their files are available.

No image is read here: reading and decoding is done in `worker.data`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from shared.regular_files import is_regular

#: The target of a regression on images: the angle by which each image is turned.
ROTATION_TARGET = "rotation"


@dataclass(frozen=True, kw_only=True)
class DatasetFacts:
    """The facts about a data set that are known before an image is read."""

    name: str
    title: str
    summary: str
    #: What a sample is: an image, or a row of a table.
    kind: Literal["images", "table"] = "images"
    #: Names of the classes, by label.
    classes: tuple[str, ...]
    #: Images from which training and validation are drawn, and test where `test` is 0.
    train: int
    #: Images of the data set's own test split; 0 where it has none.
    test: int
    image_size: int
    channels: int
    licence: str
    source: str
    #: The ways to obtain the files, in the order in which they are tried.
    ways: tuple[str, ...]
    #: The files needed in `data/<name>` of the home directory or in `installed`.
    files: tuple[str, ...] = ()
    #: The directory of an installed package that has the files.
    installed: str = ""
    synthetic: bool = False
    #: The names of the regression targets that it offers besides its classes.
    number_targets: tuple[str, ...] = ()
    #: The column of a table that is predicted by default; empty where a job has to name it.
    target: str = ""
    #: The input columns of a table, once they are known.
    features: tuple[str, ...] = ()
    #: Of a synthetic set: the default images of train, validation and test.
    default_counts: tuple[int, int, int] = (0, 0, 0)
    #: Of a synthetic set: the largest number of images, over all splits.
    max_images: int = 0
    #: Images of the data set's own validation split; 0 where it has none.
    validation: int = 0
    #: Of images: split → images of each class from which it is drawn.
    class_sizes: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    #: Per channel as fractions of 255, over all images; empty where they were not measured.
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    #: Of an uploaded set: the hash that a job pins.
    content_hash: str = ""

    def description(self) -> dict[str, Any]:
        """Return what the API says of the data set beyond what a check finds."""
        return {
            "title": self.title,
            "summary": self.summary,
            "licence": self.licence,
            "source": self.source,
            "synthetic": self.synthetic,
            "number_targets": list(self.number_targets),
            "ways": list(self.ways),
        }


def _class_sizes(
    *, train: tuple[int, ...], test: tuple[int, ...] = ()
) -> dict[str, tuple[int, ...]]:
    """Return the images from which each split is drawn: the training images without own splits."""
    return {"train": train, "validation": train, "test": test or train}


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
    class_sizes=_class_sizes(train=(6_000,) * 10, test=(1_000,) * 10),
    image_size=28,
    channels=1,
    mean=(0.286156,),
    std=(0.352942,),
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
    summary="1,797 real scans of handwritten digits, 8×8 grey: small and always available.",
    classes=tuple("0123456789"),
    train=1_797,
    test=0,
    class_sizes=_class_sizes(train=(178, 182, 177, 183, 181, 182, 181, 179, 174, 180)),
    image_size=8,
    channels=1,
    mean=(0.305309,),
    std=(0.375886,),
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
    class_sizes=_class_sizes(train=(5_000,) * 10, test=(1_000,) * 10),
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
    class_sizes=_class_sizes(train=(200,) * 10),
    image_size=32,
    channels=3,
    mean=(0.503662, 0.498718, 0.502221),
    std=(0.203437, 0.205203, 0.208628),
    licence="MIT",
    source="Made by Trainshed from a fixed seed",
    ways=("generated on request",),
    synthetic=True,
    default_counts=(1_400, 300, 300),
    max_images=100_000,
)

#: The number of rows, columns and classes comes from the file that a specification names.
TABLE = DatasetFacts(
    name="table",
    kind="table",
    title="A table of your own",
    summary="A CSV or parquet file on the box, read by column names: for linear and mlp.",
    classes=(),
    train=0,
    test=0,
    image_size=1,
    channels=0,
    licence="the file's own",
    source="the file",
    ways=("TRAINSHED_HOME/data/table",),
)
TABLE_SUFFIXES = (".csv", ".parquet")

FACTS: Mapping[str, DatasetFacts] = {
    facts.name: facts for facts in (CIFAR10, DIGITS, FASHION_MNIST, SYNTHETIC, TABLE)
}


def list_tables(home: Path) -> list[str]:
    """Return the file names of the tables on the box, sorted.

    Args:
        home: the data directory of the box (TRAINSHED_HOME).
    """
    directory = home / "data" / TABLE.name
    names = [path.name for path in directory.glob("*") if path.suffix in TABLE_SUFFIXES]
    return sorted(name for name in names if is_regular(directory, name))


def is_available(name: str, home: Path) -> bool:
    """Return whether a job could train on the data set without a download.

    Args:
        name: of a built-in data set.
        home: the data directory of the box (TRAINSHED_HOME).
    """
    if name == TABLE.name:
        return bool(list_tables(home))
    facts = FACTS[name]
    directories = [home / "data" / name]
    if facts.installed:
        directories.append(Path(facts.installed))
    if any(all(is_regular(path, file) for file in facts.files) for path in directories):
        return True
    return any((home / "cache").glob(f"{name}-*.json"))
