"""`describe`: faults of a network, and the memory of training it."""

from typing import Any

import pytest

from tests.worker.filled import parameters
from worker.sidecar.operations.describe import describe
from worker.sidecar.request import RequestRefused


def architecture(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, **parameters("architectures", name, **changes)}


def optimizer(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, **parameters("optimizers", name, **changes)}


NETWORK: dict[str, Any] = {
    "architecture": architecture("mlp", hidden_units=[4]),
    "image": [1, 8, 8],
    "classes": 10,
}
HEAD = {"hidden_units": [], "dropout": 0.0}


def _pointers(**changes: Any) -> list[str]:
    with pytest.raises(RequestRefused) as refused:
        describe({**NETWORK, **changes})
    return [fault["pointer"] for fault in refused.value.faults]


def test_every_pattern_that_matches_no_layer_is_a_fault() -> None:
    patterns = {"/regularizers/l2/only": "tail.*", "/initializer/overrides/x": "x"}
    first = {"/fine_tuning/stages/0/train/from": "tail", "/fine_tuning/stages/1/train/from": "y"}
    tensors = {"body.hidden1.weight": [4, 63]}
    pointers = _pointers(patterns=patterns, first=first, tensors=tensors, head=HEAD)
    assert pointers == [*patterns, *first, "/fine_tuning/weights"]


def test_network_that_cannot_be_built_is_the_only_fault() -> None:
    assert _pointers(
        architecture=architecture("vgg_small", widths=[4] * 6), patterns={"/x": "x"}
    ) == ["/dataset/image_size"]


class TestMemory:
    def _mib(self, **fields: Any) -> float:
        training = {"batch_size": 2, "optimizers": [optimizer("sgd")], "precision": "float32"}
        return describe({**NETWORK, **training, **fields})["memory_mib"]

    def test_memory_is_that_of_the_largest_optimizer(self) -> None:
        wide = {"architecture": architecture("mlp", hidden_units=[4096])}
        sgd, plain, adam = optimizer("sgd"), optimizer("sgd", momentum=0), optimizer("adam")
        single = self._mib(**wide, optimizers=[sgd])
        assert self._mib(**wide, optimizers=[plain]) < single
        assert single < self._mib(**wide, optimizers=[adam])
        both = self._mib(**wide, optimizers=[sgd, adam])
        assert both == self._mib(**wide, optimizers=[adam])

    def test_passes_of_a_regularizer_count_but_not_their_repetition(self) -> None:
        def vat(iterations: int) -> dict[str, Any]:
            return parameters("regularizers", "vat", power_iterations=iterations)

        vgg = {"architecture": architecture("vgg_small"), "image": [3, 32, 32], "batch_size": 32}
        once, often = (self._mib(**vgg, regularizers={"vat": vat(many)}) for many in (1, 100))
        assert once == often > 2.5 * self._mib(**vgg)

    def test_head_with_overridden_dropout_is_described(self) -> None:
        regularizers = {"dropout": {"rate": 0.7}}
        vgg = {"architecture": architecture("vgg_small"), "image": [3, 32, 32]}
        head = {"hidden_units": [4], "dropout": 0.3}
        assert self._mib(**vgg, head=head, regularizers=regularizers) > 0
