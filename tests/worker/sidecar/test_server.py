"""What the sidecar answers of a network."""

from typing import Any

import pytest

from tests.worker.filled import parameters
from worker.sidecar.server import Refused, answer, describe


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
    with pytest.raises(Refused) as refused:
        describe({**NETWORK, **changes})
    return [one["pointer"] for one in refused.value.faults]


def test_every_pattern_that_means_no_layer_is_named() -> None:
    patterns = {"/regularizers/l2/only": "tail.*", "/initializer/overrides/x": "x"}
    first = {"/fine_tuning/stages/0/train/from": "tail", "/fine_tuning/stages/1/train/from": "y"}
    tensors = {"body.hidden1.weight": [4, 63]}
    found = _pointers(patterns=patterns, first=first, tensors=tensors, head=HEAD)
    assert found == [*patterns, *first, "/fine_tuning/weights"]


def test_a_network_that_cannot_be_built_is_all_that_is_said() -> None:
    assert _pointers(
        architecture=architecture("vgg_small", widths=[4] * 6), patterns={"/x": "x"}
    ) == ["/dataset/image_size"]


def test_what_is_no_question_is_refused_and_not_fatal() -> None:
    assert answer({"ask": "describe"})["faults"][0]["detail"].startswith("malformed")


class TestMemory:
    def _mib(self, **fields: Any) -> float:
        asked = {"batch_size": 2, "optimizers": [optimizer("sgd")], "precision": "float32"}
        return describe({**NETWORK, **asked, **fields})["memory_mib"]

    def test_it_is_that_of_the_largest_optimizer_with_its_parameters(self) -> None:
        wide = {"architecture": architecture("mlp", hidden_units=[4096])}
        sgd, plain, adam = optimizer("sgd"), optimizer("sgd", momentum=0), optimizer("adam")
        one = self._mib(**wide, optimizers=[sgd])
        assert self._mib(**wide, optimizers=[plain]) < one < self._mib(**wide, optimizers=[adam])
        both = self._mib(**wide, optimizers=[sgd, adam])
        assert both == self._mib(**wide, optimizers=[adam])

    def test_a_regularizer_s_passes_count_and_their_repetition_does_not(self) -> None:
        def vat(iterations: int) -> dict[str, Any]:
            return parameters("regularizers", "vat", power_iterations=iterations)

        vgg = {"architecture": architecture("vgg_small"), "image": [3, 32, 32], "batch_size": 32}
        once, often = (self._mib(**vgg, regularizers={"vat": vat(many)}) for many in (1, 100))
        assert once == often > 2.5 * self._mib(**vgg)

    def test_a_head_with_its_dropout_overridden_is_described(self) -> None:
        regularizers = {"dropout": {"rate": 0.7}}
        vgg = {"architecture": architecture("vgg_small"), "image": [3, 32, 32]}
        head = {"hidden_units": [4], "dropout": 0.3}
        assert self._mib(**vgg, head=head, regularizers=regularizers) > 0
