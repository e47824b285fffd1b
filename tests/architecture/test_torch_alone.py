"""Training runs on a machine that has torch, and nothing of ours but the methods."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = (
    "architectures",
    "augmentations",
    "initializers",
    "losses",
    "optimizers",
    "regularizers",
    "schedules",
    "training",
)
#: What they share of ours, beside one another.
OURS = {"worker.registry"}
#: Parameters are described with pydantic, and weights are kept as safetensors. The model library is
#: imported by its name when one of its networks is built.
FOREIGN = {"pydantic", "safetensors", "torch"}
#: What the other rooms need, and what torch takes along where it is there.
ABSENT = (
    "PIL",
    "api",
    "celery",
    "mlflow",
    "numpy",
    "orjson",
    "pyarrow",
    "shared",
    "sklearn",
    "sqlalchemy",
    "structlog",
    "tensorboard",
    "timm",
    "torchvision",
)
TRAINING = """
import torch
from functools import partial
from worker.registry import architectures, losses, optimizers
from worker.training.experiment import Experiment, Split, Splits, Stage
from worker.training.fit import fit
from worker.training.reports import Fitted
from worker.training.device_split import Normalization

images = torch.randint(0, 256, (8, 1, 8, 8), dtype=torch.uint8)
split = Split(images, torch.arange(8) % 2, torch.arange(8))
sgd = partial(optimizers.get("sgd").function, momentum=0.9, nesterov=False)
experiment = Experiment(
    model=architectures.get("linear").function((1, 8, 8), 2),
    architecture={"name": "linear"},
    splits=Splits(split, split, split),
    class_names=("a", "b"),
    normalization=Normalization((0.0,), (1.0,)),
    loss=losses.get("cross_entropy").function,
    stages=(Stage("training", 1, 4, 0.1, sgd, lambda updates, in_stage: 1.0),),
)
*_, last = fit(experiment)
assert isinstance(last, Fitted)
"""


def _imported(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute"
            found.add(str(node.module))
    return found


def _is_admitted(module: str) -> bool:
    package, _, rest = module.partition(".")
    if package == "worker":
        return module in OURS or rest.partition(".")[0] in ROOMS
    return package in FOREIGN or package in sys.stdlib_module_names


@pytest.mark.parametrize("room", [*ROOMS, *(name.partition(".")[2] for name in sorted(OURS))])
def test_it_imports_the_methods_and_torch(room: str) -> None:
    place = ROOT / "worker" / room
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    wrong = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in files
        for module in _imported(path)
        if not _is_admitted(module)
    }
    assert files
    assert wrong == set()


def test_a_network_is_trained_with_everything_else_out_of_reach() -> None:
    absent = f"import sys\nfor name in {ABSENT!r}:\n    sys.modules[name] = None\n"
    trained = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", absent + TRAINING],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert trained.returncode == 0, trained.stderr
