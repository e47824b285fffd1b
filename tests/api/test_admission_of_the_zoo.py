from typing import Any

import pytest

from shared.errors import InvalidSpec
from tests.fakes.admission import check, filled


def spec(architecture: Any, batch_size: int) -> dict[str, Any]:
    training = {"epochs": 1, "batch_size": batch_size}
    dataset = {"name": "digits", "image_size": 32}
    return {"dataset": dataset, "architecture": architecture, "training": training}


@pytest.mark.parametrize("name", ["mobilenet_v2", "nasnet_mobile", "vgg_small"])
def test_batch_norm_wants_two_images_also_where_nothing_switches_it(name: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        check(spec(name, 1))
    assert [fault.pointer for fault in refused.value.faults] == ["/training/batch_size"]
    assert check(spec(name, 2))


@pytest.mark.parametrize("architecture", ["vgg16", {"name": "vgg_small", "batch_norm": False}])
def test_a_network_without_it_takes_one(architecture: Any) -> None:
    assert check(spec(architecture, 1))


def test_dropout_is_the_network_s_own_where_none_is_given() -> None:
    architecture = filled(spec("efficientnet_b4", 2))["architecture"]
    assert architecture == {"name": "efficientnet_b4", "dropout": 0.4}
