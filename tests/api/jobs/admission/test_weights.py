"""Weights of a job or an upload: their file is read before a job is recorded."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from shared.ids import new_id
from shared.storage import WEIGHTS
from tests.api.service import SPEC, Service, checkpoint_row

STAGES = [
    {"name": "warm_up", "train": "head", "epochs": 2},
    {"name": "fine_tune", "train": {"from": "body.*"}, "epochs": 3},
]
BODY = {"body.hidden1.weight": torch.zeros(4, 64), "body.hidden1.bias": torch.zeros(4)}
METADATA = {"normalization": '{"mean": [0.5], "deviation": [0.25]}'}


def tuned(weights: Any) -> dict[str, Any]:
    """Return a specification that starts from weights."""
    return {**SPEC, "fine_tuning": {"weights": weights, "stages": STAGES}}


def upload(service: Service, tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> str:
    """Write an upload into the storage, without the route that receives it; return its id."""
    weights_id = new_id("weights")
    path: Path = service.storage.weights(weights_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata=metadata)
    return weights_id


def job_with_checkpoint(
    service: Service, tensors: dict[str, torch.Tensor], metadata: dict[str, str] = METADATA
) -> str:
    """Start a job with the checkpoints `last` and `best_val_loss`; return its id."""
    lease = service.start_job()
    directory = service.storage.attempt(lease.job_id, 1) / "step-1"
    directory.mkdir(parents=True)
    save_file(tensors, directory / WEIGHTS, metadata=metadata)
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


class TestOfAJob:
    def test_sidecar_compares_the_tensors_of_the_body(self, service: Service) -> None:
        job_id = job_with_checkpoint(service, {**BODY, "head.output.bias": torch.zeros(10)})
        for name in (None, "last", "best_val_loss"):
            weights = {"job": job_id, "checkpoint": name}
            spec = service.job(service.submit(**tuned(weights), name=str(name)))["spec"]
            assert spec["fine_tuning"]["weights"]["checkpoint"] == (name or "last")
            assert spec["dataset"]["normalization"] == "of_weights"
        assert service.post("/v1/jobs/validate", tuned({"job": job_id})).status_code == 200
        request = service.sidecar.requests[-1]
        assert request["tensors"] == {"body.hidden1.weight": [4, 64], "body.hidden1.bias": [4]}

    def test_fault_of_the_sidecar_is_a_fault_of_the_specification(self, service: Service) -> None:
        job_id = job_with_checkpoint(service, BODY)
        fault = {"pointer": "/fine_tuning/weights", "detail": "are of another network"}
        service.sidecar.respond = lambda _: {"ok": False, "faults": [fault]}
        assert set(service.faults(tuned({"job": job_id}))) == {"/fine_tuning/weights"}

    def test_unknown_job_and_unknown_checkpoint_are_refused(self, service: Service) -> None:
        with_checkpoints, without = job_with_checkpoint(service, BODY), service.submit()
        unknown = {"job": with_checkpoints, "checkpoint": "best_val_accuracy"}
        for weights in ({"job": new_id("job")}, {"job": "../x"}):
            assert set(service.faults(tuned(weights))) == {"/fine_tuning/weights/job"}
        no_name = {"job": with_checkpoints, "checkpoint": ""}
        for weights in (unknown, no_name, {"job": without}):
            assert set(service.faults(tuned(weights))) == {"/fine_tuning/weights/checkpoint"}

    def test_checkpoint_without_its_file_is_refused(self, service: Service) -> None:
        lease = service.start_job()
        service.record(lease, checkpoints=[checkpoint_row("last")])
        assert service.faults(tuned({"job": lease.job_id})) == {
            "/fine_tuning/weights/checkpoint": "the file of `last` no longer exists"
        }

    def test_faults_of_weights_sidecar_and_structure_come_together(self, service: Service) -> None:
        fault = {"pointer": "/fine_tuning/stages/1/train/from", "detail": "matches no layer"}
        service.sidecar.respond = lambda _: {"ok": False, "faults": [fault]}
        spec = {**tuned({"job": new_id("job")}), "seed": -1}
        assert set(service.faults(spec)) == {fault["pointer"], "/fine_tuning/weights/job", "/seed"}


class TestOfAnUpload:
    @pytest.mark.parametrize("weights_id", ["weights_" + "0" * 26, "../x"])
    def test_unknown_upload_is_refused(self, service: Service, weights_id: str) -> None:
        (detail,) = service.faults(tuned({"upload": weights_id})).values()
        assert detail == f"`{weights_id}` is not an upload; POST /v1/weights makes one"

    def test_normalization_must_be_given_where_the_file_has_none(self, service: Service) -> None:
        weights_id = upload(service, BODY, {})
        spec = tuned({"upload": weights_id})
        assert set(service.faults(spec)) == {"/dataset/normalization"}
        service.submit(**{**spec, "dataset": {"name": "digits", "normalization": "unit"}})
        with_normalization = upload(service, BODY, METADATA)
        service.submit(**tuned({"upload": with_normalization}))

    def test_integer_tensor_is_refused_unless_it_counts_batches(self, service: Service) -> None:
        counter = {"body.norm1.num_batches_tracked": torch.tensor(3)}
        service.submit(**tuned({"upload": upload(service, {**BODY, **counter}, METADATA)}))
        integers = {**BODY, "body.hidden1.bias": torch.zeros(4, dtype=torch.int64)}
        assert service.faults(tuned({"upload": upload(service, integers, METADATA)})) == {
            "/fine_tuning/weights/upload": "has the tensor `body.hidden1.bias` of type I64; "
            "weights must be F32, BF16, F16, F64"
        }

    @pytest.mark.parametrize(
        ("normalization", "pointer", "text"),
        [
            (
                '{"mean": [0.5, 0.5, 0.5], "deviation": [1, 1, 1]}',
                "/dataset/channels",
                "is 1; it must be 3 for these weights",
            ),
            (
                '{"mean": [0.5, 0.5], "deviation": [1, 1]}',
                "/fine_tuning/weights/upload",
                "of 2 channels",
            ),
            ('{"mean": [0.5], "deviation": [0]}', "/dataset/normalization", "greater than 0"),
            ("nonsense", "/dataset/normalization", "not JSON"),
        ],
    )
    def test_normalization_must_fit_the_images(
        self, service: Service, normalization: str, pointer: str, text: str
    ) -> None:
        spec = tuned({"upload": upload(service, BODY, {"normalization": normalization})})
        faults = service.faults(spec)
        assert list(faults) == [pointer]
        assert text in faults[pointer]
        service.submit(**{**spec, "dataset": {"name": "digits", "normalization": "unit"}})

    def test_normalization_must_fit_the_columns_of_a_table(self, service: Service) -> None:
        table = {"rows": 100, "features": ["size", "age"], "classes": ["no", "yes"]}
        accept_network = service.sidecar.respond
        service.sidecar.respond = lambda request: (
            {"ok": True, **table, "content_hash": "sha256:" + "a" * 64, "warnings": []}
            if request["operation"] == "table"
            else accept_network(request)
        )
        spec = tuned({"upload": upload(service, BODY, METADATA)})
        spec["dataset"] = {"name": "table", "file": "a.csv", "target": "price"}
        assert service.faults(spec) == {
            "/dataset/features": "has 2 columns; it must have 1 for these weights"
        }
