"""Numbers are numbers: no boolean or string stands for one, wherever a number is expected."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.admission import SPEC, faults, filled

#: Has every field that takes a number in the structure, and many of the catalogue.
WITH_NUMBERS: dict[str, Any] = {
    "dataset": {"name": "digits", "channels": 1, "image_size": 8},
    "architecture": {"name": "vgg_small", "widths": [4]},
    "regularizers": {"l2": 0.01, "dropout": True, "label_smoothing": {"alpha": 0.1}},
    "augmentation": {"rotation": 10, "brightness": [0.8, 1.2], "horizontal_flip": True},
    "loss": {"name": "cross_entropy", "class_weights": {"0": 2}},
    "optimizer": {
        "name": "adam",
        "schedule": "reduce_on_plateau",
        "gradient_clipping": {"norm": 1},
    },
    "training": {"early_stopping": {}},
    "fine_tuning": {"stages": [{"name": "a", "epochs": 30, "optimizer": "sgd"}]},
    "checkpoints": [{"epoch": 0}, {"every_epochs": 2}],
    "metrics": {"top_k": [1, 5]},
    "resources": {"gpus": 1, "gpu_memory_mib": 100, "max_runtime_seconds": 100},
}


def numbers(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield the path and the value of every number of a specification."""
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from numbers(inner, (*path, name))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


def changed(spec: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    spec = copy.deepcopy(spec)
    parent: Any = spec
    for part in path[:-1]:
        parent = parent[part]
    parent[path[-1]] = value
    return spec


FILLED = filled(WITH_NUMBERS)
NUMBERS = dict(numbers(FILLED))


def pointer(path: tuple[Any, ...]) -> str:
    return "/" + "/".join(map(str, path))


def test_specification_of_this_test_has_many_numbers() -> None:
    assert len(NUMBERS) > 50
    assert {"/checkpoints/0/epoch", "/dataset/channels"} <= {*map(pointer, NUMBERS)}


@pytest.mark.parametrize("path", NUMBERS, ids=pointer)
def test_boolean_or_string_is_no_number(path: tuple[Any, ...]) -> None:
    for value in (True, False, str(NUMBERS[path]), "0"):
        assert pointer(path) in faults(changed(FILLED, path, value)), value


@pytest.mark.parametrize("path", [p for p, n in NUMBERS.items() if isinstance(n, int)], ids=pointer)
def test_whole_number_written_with_a_fraction_of_zero_is_an_integer(path: tuple[Any, ...]) -> None:
    """JSON has one type of number: 3.0 is 3, and the filled specification has the integer."""
    value = filled(changed(FILLED, path, float(NUMBERS[path])))
    assert value == FILLED
    assert {at: type(number) for at, number in numbers(value)} == {
        at: type(number) for at, number in NUMBERS.items()
    }
    assert pointer(path) in faults(changed(FILLED, path, NUMBERS[path] + 0.5))


@pytest.mark.parametrize("epoch", [False, True, "0", -1, 1, 0.5, [], {}])
def test_only_the_number_0_is_the_epoch_of_the_initial_weights(epoch: Any) -> None:
    (fault,) = faults({**SPEC, "checkpoints": [{"epoch": epoch}]}).items()
    assert fault[0] == "/checkpoints/0/epoch"
    assert fault[1].endswith("; it must be 0")


@pytest.mark.parametrize("channels", [True, False, "1", 2, -1])
def test_only_the_numbers_1_and_3_are_channels(channels: Any) -> None:
    dataset = {"name": "digits", "channels": channels}
    (fault,) = faults({**SPEC, "dataset": dataset}).items()
    assert fault[0] == "/dataset/channels"
    assert fault[1].endswith("; it must be 1 or 3")
