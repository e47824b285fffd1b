"""`worker.training` and the methods run on a machine that has only torch and pydantic."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = (
    "analyses",
    "architectures",
    "augmentations",
    "initializers",
    "losses",
    "optimizers",
    "regularizers",
    "schedules",
    "training",
)
#: Modules outside these folders that they may import.
OURS = {"worker.registry"}
#: pydantic describes parameters, safetensors stores weights. timm is imported by name on first use.
FOREIGN = {"pydantic", "safetensors", "torch"}
#: Packages that must not be needed, and packages that torch imports where they exist.
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
    """Return every module that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute"
            found.add(str(node.module))
    return found


def _is_allowed(module: str) -> bool:
    package, _, rest = module.partition(".")
    if package == "worker":
        return module in OURS or rest.partition(".")[0] in ROOMS
    return package in FOREIGN or package in sys.stdlib_module_names


@pytest.mark.parametrize("room", [*ROOMS, *(name.partition(".")[2] for name in sorted(OURS))])
def test_folder_imports_only_methods_and_torch(room: str) -> None:
    place = ROOT / "worker" / room
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    wrong = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in files
        for module in _imported(path)
        if not _is_allowed(module)
    }
    assert files
    assert wrong == set()


def test_network_is_trained_without_any_other_package() -> None:
    absent = f"import sys\nfor name in {ABSENT!r}:\n    sys.modules[name] = None\n"
    trained = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", absent + TRAINING],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert trained.returncode == 0, trained.stderr
