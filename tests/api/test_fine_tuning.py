"""Fine-tuning at submission: what is filled in, and what is refused there and not in a worker."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from shared.ids import new_id
from shared.storage import WEIGHTS
from tests.api.service import SPEC, Service, checkpoint_row

STAGES = [
    {"name": "warm_up", "train": "head", "epochs": 2, "optimizer": {"name": "adam"}},
    {"name": "fine_tune", "train": {"from": "body.*"}, "epochs": 3},
]
TUNING: dict[str, Any] = {"weights": None, "stages": STAGES}
BODY = {"body.hidden1.weight": torch.zeros(4, 64), "body.hidden1.bias": torch.zeros(4)}
METADATA = {"normalization": '{"mean": [0.5], "deviation": [0.25]}'}


def _tune(weights: Any = None, **changes: Any) -> dict[str, Any]:
    return {**SPEC, "fine_tuning": {**TUNING, "weights": weights, **changes}}


def _upload(service: Service, tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> str:
    """An upload as it lies in the storage; what receives one is not asked."""
    weights_id = new_id("weights")
    path: Path = service.storage.weights(weights_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata=metadata)
    return weights_id


def _job_with_checkpoint(service: Service, tensors: dict[str, torch.Tensor]) -> str:
    lease = service.start_job()
    directory = service.storage.attempt(lease.job_id, 1) / "step-1"
    directory.mkdir(parents=True)
    save_file(tensors, directory / WEIGHTS, metadata=METADATA)
    relative = service.storage.relative(directory)
    best = {"monitor": "val_loss", "mode": "min", "value": 1.0}
    service.record(
        lease,
        checkpoints=[
            checkpoint_row("last", directory=relative),
            checkpoint_row("best", directory=relative, **best),
        ],
    )
    return lease.job_id


class TestFilledIn:
    def test_stages_inherit_what_they_do_not_say(self, service: Service) -> None:
        spec = {**_tune(), "optimizer": {"name": "sgd", "learning_rate": 1e-5}}
        spec["training"] = {"early_stopping": {"patience": 7}}
        filled = service.job(service.submit(**spec))["spec"]
        first, second = filled["fine_tuning"]["stages"]
        assert first["optimizer"]["name"] == "adam"
        assert first["optimizer"]["beta1"] == 0.9
        assert second["optimizer"] == filled["optimizer"]
        assert second["early_stopping"]["patience"] == 7
        assert filled["training"]["epochs"] == 5
        assert filled["fine_tuning"]["head"] == {"hidden_units": [256], "dropout": 0.3}
        assert filled["dataset"]["normalization"] == "standardize"
        assert service.job(service.submit(**filled))["spec"] == filled

    def test_the_desk_is_told_of_head_and_stages(self, service: Service) -> None:
        service.submit(**_tune(head={"hidden_units": []}))
        (asked,) = service.sidecar.requests
        assert asked["head"] == {"hidden_units": [], "dropout": 0.3}
        assert asked["first"] == {"/fine_tuning/stages/1/train/from": "body.*"}
        assert "tensors" not in asked


class TestWeights:
    def test_of_a_job(self, service: Service) -> None:
        job_id = _job_with_checkpoint(service, {**BODY, "head.output.bias": torch.zeros(10)})
        for name in (None, "last", "best_val_loss"):
            service.sidecar.requests.clear()
            tuned = service.submit(**_tune({"job": job_id, "checkpoint": name}), name=str(name))
            spec = service.job(tuned)["spec"]
            assert spec["dataset"]["normalization"] == "of_weights"
        answer = service.post("/v1/jobs/validate", _tune({"job": job_id}))
        assert answer.status_code == 200
        asked = service.sidecar.requests[-1]
        assert asked["tensors"] == {"body.hidden1.weight": [4, 64], "body.hidden1.bias": [4]}

    def test_what_the_desk_says_of_them_is_a_fault(self, service: Service) -> None:
        job_id = _job_with_checkpoint(service, BODY)
        fault = {"pointer": "/fine_tuning/weights", "detail": "are of another network"}
        service.sidecar.respond = lambda _: {"ok": False, "faults": [fault]}
        assert set(service.faults(_tune({"job": job_id}))) == {"/fine_tuning/weights"}

    def test_that_are_not_there(self, service: Service) -> None:
        job_id = _job_with_checkpoint(service, BODY)
        other = service.submit()
        cases = {
            "/fine_tuning/weights/job": {"job": new_id("job")},
            "/fine_tuning/weights/checkpoint": {"job": job_id, "checkpoint": "best_val_accuracy"},
            "/fine_tuning/weights/upload": {"upload": new_id("weights")},
        }
        for pointer, weights in cases.items():
            assert set(service.faults(_tune(weights))) == {pointer}
        assert set(service.faults(_tune({"job": other}))) == {"/fine_tuning/weights/checkpoint"}
        assert set(service.faults(_tune({"job": "../x"}))) == {"/fine_tuning/weights/job"}
        assert set(service.faults(_tune({"upload": "../x"}))) == {"/fine_tuning/weights/upload"}

    def test_whose_file_is_gone(self, service: Service) -> None:
        lease = service.start_job()
        service.record(lease, checkpoints=[checkpoint_row("last")])
        faults = service.faults(_tune({"job": lease.job_id}))
        assert "no longer exists" in faults["/fine_tuning/weights/checkpoint"]

    def test_of_an_upload(self, service: Service) -> None:
        weights_id = new_id("weights")
        path: Path = service.storage.weights(weights_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(BODY, path)
        faults = service.faults(_tune({"upload": weights_id}))
        assert set(faults) == {"/dataset/normalization"}
        spec = {**_tune({"upload": weights_id})}
        spec["dataset"] = {"name": "digits", "normalization": "unit"}
        service.submit(**spec)
        save_file(BODY, path, metadata=METADATA)
        service.submit(**_tune({"upload": weights_id}))

    def test_of_the_library_are_of_the_architecture(self, service: Service) -> None:
        at = "/fine_tuning/weights/pretrained"
        assert set(service.faults(_tune({"pretrained": "efficientnet_lite0"}))) == {at}
        mine = {**_tune({"pretrained": "mlp"})}
        assert "efficientnet_lite0" in service.faults(mine)[at]
        known = {
            **_tune({"pretrained": "efficientnet_lite0"}),
            "architecture": "efficientnet_lite0",
        }
        known["dataset"] = {"name": "digits", "image_size": 32, "channels": 3}
        service.submit(**known)

    @pytest.mark.parametrize("channels", [None, 1])
    def test_of_the_library_are_for_images_in_colour(
        self, service: Service, channels: int | None
    ) -> None:
        spec = {**_tune({"pretrained": "efficientnet_lite0"}), "architecture": "efficientnet_lite0"}
        spec["dataset"] = {"name": "digits", "image_size": 32, "channels": channels}
        faults = service.faults(spec)
        assert list(faults) == ["/dataset/channels"]
        assert "it must be 3" in faults["/dataset/channels"]

    def test_of_whole_numbers_are_none(self, service: Service) -> None:
        counter = {"body.norm1.num_batches_tracked": torch.tensor(3)}
        weights_id = _upload(service, {**BODY, **counter}, METADATA)
        service.submit(**_tune({"upload": weights_id}))
        whole = {"body.hidden1.bias": torch.zeros(4, dtype=torch.int64)}
        weights_id = _upload(service, {**BODY, **whole}, METADATA)
        faults = service.faults(_tune({"upload": weights_id}))
        assert "`body.hidden1.bias` of type I64" in faults["/fine_tuning/weights/upload"]

    @pytest.mark.parametrize(
        ("said", "pointer", "text"),
        [
            ('{"mean": [0.5, 0.5, 0.5], "deviation": [1, 1, 1]}', "/dataset/channels", "must be 3"),
            (
                '{"mean": [0.5, 0.5], "deviation": [1, 1]}',
                "/fine_tuning/weights/upload",
                "of 2 channels",
            ),
            ('{"mean": [0.5], "deviation": [0]}', "/dataset/normalization", "more than 0"),
            ("nonsense", "/dataset/normalization", "not JSON"),
        ],
    )
    def test_whose_normalization_does_not_go_with_the_images(
        self, service: Service, said: str, pointer: str, text: str
    ) -> None:
        weights_id = _upload(service, BODY, {"normalization": said})
        spec = _tune({"upload": weights_id})
        faults = service.faults(spec)
        assert list(faults) == [pointer]
        assert text in faults[pointer]
        service.submit(**{**spec, "dataset": {"name": "digits", "normalization": "unit"}})

    def test_of_a_table_are_for_as_many_columns(self, service: Service) -> None:
        read = {"rows": 100, "features": ["size", "age"], "classes": ["no", "yes"]}
        usual = service.sidecar.respond
        service.sidecar.respond = lambda question: (
            {"ok": True, **read, "content_hash": "sha256:" + "a" * 64}
            if question["ask"] == "table"
            else usual(question)
        )
        spec = _tune({"upload": _upload(service, BODY, METADATA)})
        spec["dataset"] = {"name": "table", "file": "a.csv", "target": "price"}
        faults = service.faults(spec)
        assert faults == {"/dataset/features": "has 2 columns; it must have 1 for these weights"}


class TestEveryFaultAtOnce:
    def test_of_the_weights_of_the_desk_and_of_the_rest(self, service: Service) -> None:
        fault = {"pointer": "/fine_tuning/stages/1/train/from", "detail": "matches no layer"}
        service.sidecar.respond = lambda _: {"ok": False, "faults": [fault]}
        spec = {**_tune({"job": new_id("job")}), "seed": -1}
        assert set(service.faults(spec)) == {fault["pointer"], "/fine_tuning/weights/job", "/seed"}

    def test_the_desk_is_not_asked_of_a_network_that_is_not_known(self, service: Service) -> None:
        for change in (
            {"dataset": {"name": "digits", "image_size": 4}},
            {"architecture": {"name": "mlp", "hidden_units": [0]}},
            {"regularizers": {"dropout": 2}},
            {"fine_tuning": {**TUNING, "head": {"dropout": 2}}},
            {"fine_tuning": {**TUNING, "stages": [3, STAGES[0]]}},
            {"fine_tuning": 3},
        ):
            service.faults({**_tune(), **change})
        assert not service.sidecar.requests

    def test_without_the_desk_the_others_are_told(self, service: Service) -> None:
        sidecar = service.app.state.services.sidecar
        address, sidecar.address = sidecar.address, "unix:///nowhere/at/all.sock"
        try:
            assert set(service.faults({**_tune(), "seed": -1})) == {"/seed"}
        finally:
            sidecar.address = address

    def test_an_image_size_that_the_network_does_not_take(self, service: Service) -> None:
        faults = service.faults(
            {"dataset": "digits", "architecture": "vgg16", "training": {"epochs": 0}}
        )
        assert set(faults) == {"/dataset/image_size", "/training/epochs"}
        assert "is 8; it must be at least 32 for vgg16" in faults["/dataset/image_size"]

    def test_nesterov_without_momentum_in_a_stage(self, service: Service) -> None:
        wrong = {"name": "sgd", "momentum": 0, "nesterov": True}
        stages = [STAGES[0], {**STAGES[1], "optimizer": wrong}]
        at = "/fine_tuning/stages/1/optimizer/nesterov"
        assert list(service.faults(_tune(stages=stages))) == [at]
        spec = {**_tune(), "optimizer": wrong}
        assert list(service.faults(spec)) == ["/optimizer/nesterov"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"fine_tuning": {**TUNING, "stages": []}}, "/fine_tuning/stages"),
        ({"fine_tuning": {"weights": None}}, "/fine_tuning/stages"),
        ({"fine_tuning": {**TUNING, "stages": [STAGES[0]] * 2}}, "/fine_tuning/stages/1/name"),
        ({"fine_tuning": {**TUNING, "stages": [{"name": "a"}]}}, "/fine_tuning/stages/0/epochs"),
        (
            {"fine_tuning": {**TUNING, "stages": [{**STAGES[0], "epochs": 0}]}},
            "/fine_tuning/stages/0/epochs",
        ),
        (
            {"fine_tuning": {**TUNING, "stages": [{**STAGES[0], "train": "tail"}]}},
            "/fine_tuning/stages/0/train",
        ),
        (
            {"fine_tuning": {**TUNING, "stages": [{**STAGES[0], "train": {"from": ""}}]}},
            "/fine_tuning/stages/0/train",
        ),
        (
            {"fine_tuning": {**TUNING, "stages": [{**STAGES[0], "name": "Warm up"}]}},
            "/fine_tuning/stages/0/name",
        ),
        (
            {"fine_tuning": {**TUNING, "stages": [{**STAGES[0], "optimizer": "adm"}]}},
            "/fine_tuning/stages/0/optimizer/name",
        ),
        (
            {"fine_tuning": {**TUNING, "stages": [{**STAGES[0], "batch_size": 3}]}},
            "/fine_tuning/stages/0/batch_size",
        ),
        (
            {
                "fine_tuning": {
                    **TUNING,
                    "stages": [{**STAGES[0], "early_stopping": {"monitor": "val_los"}}],
                }
            },
            "/fine_tuning/stages/0/early_stopping/monitor",
        ),
        ({"fine_tuning": {**TUNING, "weights": {}}}, "/fine_tuning/weights"),
        (
            {"fine_tuning": {**TUNING, "weights": {"pretrained": "mlp", "job": "x"}}},
            "/fine_tuning/weights",
        ),
        (
            {"fine_tuning": {**TUNING, "weights": {"pretrained": "m", "checkpoint": "last"}}},
            "/fine_tuning/weights",
        ),
        ({"fine_tuning": {**TUNING, "head": {"dropout": 1}}}, "/fine_tuning/head/dropout"),
        ({"fine_tuning": TUNING, "training": {"epochs": 4}}, "/training/epochs"),
        (
            {"fine_tuning": TUNING, "dataset": {"name": "digits", "normalization": "of_weights"}},
            "/dataset/normalization",
        ),
        ({"dataset": {"name": "digits", "normalization": "of_weights"}}, "/dataset/normalization"),
    ],
)
def test_faults(service: Service, changes: dict[str, Any], pointer: str) -> None:
    faults = service.faults({**SPEC, **changes})
    assert list(faults) == [pointer], faults
