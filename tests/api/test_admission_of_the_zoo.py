from typing import Any

import pytest

from api.catalog.methods import Methods
from api.jobs.admission.checks import admit
from shared import catalog
from shared.errors import InvalidSpec
from tests.fakes.sidecar import no_sidecar

METHODS = Methods(catalog.load())


def spec(architecture: Any, batch_size: int) -> dict[str, Any]:
    training = {"epochs": 1, "batch_size": batch_size}
    dataset = {"name": "digits", "image_size": 32}
    return {"dataset": dataset, "architecture": architecture, "training": training}


@pytest.mark.parametrize("name", ["mobilenet_v2", "nasnet_mobile", "vgg_small"])
def test_batch_norm_wants_two_images_also_where_nothing_switches_it(name: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        admit(spec(name, 1), METHODS, no_sidecar)
    assert [fault.pointer for fault in refused.value.faults] == ["/training/batch_size"]
    assert admit(spec(name, 2), METHODS, no_sidecar)


@pytest.mark.parametrize("architecture", ["vgg16", {"name": "vgg_small", "batch_norm": False}])
def test_a_network_without_it_takes_one(architecture: Any) -> None:
    assert admit(spec(architecture, 1), METHODS, no_sidecar)


def test_dropout_is_the_network_s_own_where_none_is_given() -> None:
    filled = admit(spec("efficientnet_b4", 2), METHODS, no_sidecar).spec["architecture"]
    assert filled == {"name": "efficientnet_b4", "dropout": 0.4}
