"""Where images stay: on the device, unless they do not fit there next to the network."""

from typing import Any

import pytest
import torch

from tests.worker.experiments import spec, vgg
from tests.worker.runner.jobs import Jobs
from worker.assignment import ExitCode
from worker.data import mapped_images
from worker.runner import experiment, residency
from worker.runner.experiment import ON_HOST
from worker.runner.residency import available_bytes, predict_network_mib, stays_on_host
from worker.training import checkpoint

SHAPE = (3, 32, 32)
IMAGES = 10_000
DATA_BYTES = IMAGES * 3 * 32 * 32
SPEC: dict[str, Any] = {
    "dataset": {"name": "digits", "train": 200, "validation": 64, "test": 32, "image_size": 16},
    "architecture": vgg(),
    "training": {"batch_size": 16, "epochs": 2},
}


def _is_on_host(available: int, *, residency: str | None = None, **fields: Any) -> bool:
    dataset = {"name": "any", "residency": residency}
    of_job = spec(dataset=dataset, architecture=vgg(), **fields)
    return stays_on_host(of_job, SHAPE, IMAGES, 10, available_bytes=available)


def test_specification_decides_if_it_says_so() -> None:
    assert _is_on_host(2**60, residency="host")
    assert not _is_on_host(1, residency="device")


def test_images_stay_on_the_device_while_they_fit_next_to_the_network() -> None:
    network = predict_network_mib(spec(architecture=vgg()), SHAPE, 10) * 2**20
    assert network > 10**6
    just_enough = round((DATA_BYTES + network) / 0.9)
    assert not _is_on_host(just_enough + 1000)
    assert _is_on_host(just_enough - 1000)


def test_larger_batches_leave_less_for_the_images() -> None:
    available = 2 * DATA_BYTES
    assert not _is_on_host(available)
    assert _is_on_host(available, training={"batch_size": 4096})


def test_small_data_need_no_prediction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(residency, "predict_network_mib", None)
    assert not _is_on_host(10 * DATA_BYTES)


def test_prediction_covers_every_stage_of_fine_tuning() -> None:
    def stages(optimizer: str) -> dict[str, Any]:
        stage = {"epochs": 1, "optimizer": {"name": optimizer}}
        names = ("a", "b")
        return {"weights": None, "stages": [{"name": name, **stage} for name in names]}

    plain, adam = (
        predict_network_mib(spec(architecture=vgg(), fine_tuning=stages(name)), SHAPE, 10)
        for name in ("sgd", "adam")
    )
    assert adam > plain > 0


def test_memory_of_the_cpu_is_shared_by_two_copies() -> None:
    machine = available_bytes("cpu", 0, 0)
    assert machine > 2**20
    assert available_bytes("cpu", 0, 64) == 32 * 2**20


def test_job_with_images_on_the_host_has_the_same_weights(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    class Counted(mapped_images.MappedImages):
        def __getitem__(self, samples: torch.Tensor | slice, /) -> torch.Tensor:
            found = super().__getitem__(samples)
            read.append(len(found))
            return found

    weights: list[dict[str, torch.Tensor]] = []
    monkeypatch.setattr("worker.data.tensors.MappedImages", Counted)
    for where, drain_at in (("device", None), ("host", None), ("host", 7)):
        read.clear()
        dataset = {**SPEC["dataset"], "residency": where}
        job_id = jobs.submit({**SPEC, "dataset": dataset})
        if drain_at is not None:
            assert jobs.run(drain_at=drain_at) == ExitCode.DRAINED
        assert jobs.run() == ExitCode.DONE
        directory = jobs.storage.root / jobs.last(job_id).directory
        weights.append(checkpoint.load_weights(directory))
        assert bool(read) == (where == "host")
    for other in weights[1:]:
        assert all(torch.equal(other[name], tensor) for name, tensor in weights[0].items())


def test_job_that_does_not_fit_is_put_on_the_host(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiment, "available_bytes", lambda *_: 100_000)
    mapped: list[int] = []
    original = experiment.map_images

    def counted(dataset: Any, indices: Any) -> Any:
        mapped.append(len(indices))
        return original(dataset, indices)

    monkeypatch.setattr(experiment, "map_images", counted)
    job_id = jobs.submit(SPEC)
    assert jobs.run() == ExitCode.DONE
    assert mapped == [200, 64, 32]
    assert jobs.notes(job_id) == [ON_HOST]
