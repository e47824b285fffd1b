"""The network: batches that suffice for batch norm, and the request to the sidecar."""

from typing import Any

import pytest

from shared.errors import Unavailable
from tests.fakes.admission import SPEC, SidecarInProcess, SilentSidecar, check, faults

STAGES = [
    {"name": "warm_up", "train": "head", "epochs": 2},
    {"name": "fine_tune", "train": {"from": "body.*"}, "epochs": 3},
]
TUNING: dict[str, Any] = {"weights": None, "stages": STAGES}


class TestBatchNorm:
    def spec(self, architecture: Any, **changes: Any) -> dict[str, Any]:
        dataset = {"name": "digits", "image_size": 32}
        return {"dataset": dataset, "architecture": architecture, **changes}

    @pytest.mark.parametrize("name", ["mobilenet_v2", "nasnet_mobile", "vgg_small"])
    def test_it_needs_two_images_in_a_batch(self, name: str) -> None:
        assert faults(self.spec(name, training={"batch_size": 1})) == {
            "/training/batch_size": "is 1, but batch norm needs at least 2 images in a batch"
        }
        assert faults(self.spec(name, training={"batch_size": 2})) == {}

    @pytest.mark.parametrize("architecture", ["vgg16", {"name": "vgg_small", "batch_norm": False}])
    def test_network_without_it_takes_one_image(self, architecture: Any) -> None:
        assert faults(self.spec(architecture, training={"batch_size": 1})) == {}

    def test_regularizer_switches_it_on(self) -> None:
        spec = {**SPEC, "training": {"batch_size": 1}}
        assert faults(spec) == {}
        found = faults({**spec, "regularizers": {"batch_norm": True}})
        assert list(found) == ["/training/batch_size"]

    def test_it_needs_two_training_images(self) -> None:
        dataset = {"name": "digits", "train": 1}
        assert list(faults({"dataset": dataset, "architecture": "vgg_small"})) == ["/dataset/train"]


def test_image_size_below_the_minimum_of_the_architecture_is_refused() -> None:
    spec = {"dataset": "digits", "architecture": "vgg16", "training": {"epochs": 0}}
    found = faults(spec)
    assert set(found) == {"/dataset/image_size", "/training/epochs"}
    assert found["/dataset/image_size"] == "is 8; it must be at least 32 for vgg16"


class TestSidecar:
    def test_request_names_head_and_first_trained_layers(self) -> None:
        sidecar = SidecarInProcess()
        check({**SPEC, "fine_tuning": {**TUNING, "head": {"hidden_units": []}}}, sidecar)
        (request,) = sidecar.requests
        assert request["head"] == {"hidden_units": [], "dropout": 0.3}
        assert request["first"] == {"/fine_tuning/stages/1/train/from": "body.*"}
        assert "tensors" not in request

    def test_request_names_the_patterns_of_layers(self) -> None:
        initializer = {"name": "he_normal", "overrides": {"head.*": "zeros"}}
        regularizers = {"l2": {"weight": 0.1, "only": "body.*"}}
        draft = check({**SPEC, "initializer": initializer, "regularizers": regularizers})
        assert draft.network is not None
        assert draft.network["patterns"] == {
            "/initializer/overrides/head.*": "head.*",
            "/regularizers/l2/only": "body.*",
        }

    @pytest.mark.parametrize(
        "changes",
        [
            {"dataset": {"name": "digits", "image_size": 4}},
            {"architecture": {"name": "mlp", "hidden_units": [0]}},
            {"regularizers": {"dropout": 2}},
            {"fine_tuning": {**TUNING, "head": {"dropout": 2}}},
            {"fine_tuning": {**TUNING, "stages": [3, STAGES[0]]}},
            {"fine_tuning": 3},
        ],
    )
    def test_faulty_network_is_not_requested(self, changes: dict[str, Any]) -> None:
        sidecar = SidecarInProcess()
        assert faults({**SPEC, "fine_tuning": TUNING, **changes}, sidecar)
        assert not sidecar.requests

    def test_without_it_the_other_faults_are_reported(self) -> None:
        assert set(faults({**SPEC, "seed": -1}, SilentSidecar())) == {"/seed"}

    def test_without_it_a_specification_cannot_be_accepted(self) -> None:
        with pytest.raises(Unavailable):
            check(SPEC, SilentSidecar())


def test_a_job_takes_no_more_devices_than_the_largest_worker_has() -> None:
    assert faults({**SPEC, "resources": {"gpus": 3}}) == {
        "/resources/gpus": "is 3; it must be at most 2: the largest worker has 2 devices "
        "(cpu:0, cpu:1)"
    }
    assert faults({**SPEC, "resources": {"gpus": 2}}) == {}
