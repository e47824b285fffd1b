"""The memory that is planned for an analysis, on a box with a GPU that jobs share."""

import pytest
import sqlalchemy as sa

from shared import tables
from shared.jobs import liveness
from shared.jobs.attempts import Lease
from shared.jobs.memory_need import CONTEXT_MIB
from tests.api.analyses.requests import REQUEST, faults, request
from tests.api.jobs.results.files import with_file
from tests.api.service import Service, checkpoint_row

STAGES = {
    "head": {},
    "stages": [
        {"name": "first", "train": "head", "epochs": 1, "optimizer": "adam"},
        {"name": "second", "train": "all", "epochs": 1, "optimizer": "adam"},
    ],
}


def add_gpu(service: Service, memory_mib: int) -> None:
    devices = [{"name": "cuda:0", "uuid": "GPU-1", "memory_mib": memory_mib}]
    with service.database.write() as connection:
        liveness.record_worker(connection, worker="w", host="h", pid=7, devices=devices)


def planned(service: Service, analysis_id: str) -> float:
    query = sa.select(tables.jobs.c.memory_mib).where(tables.jobs.c.id == analysis_id)
    with service.database.read() as connection:
        return connection.execute(query).scalar_one()


def test_it_is_planned_like_a_job_with_margins_and_images(service: Service, lease: Lease) -> None:
    add_gpu(service, 80_000)
    analysis = request(service, lease)
    least = CONTEXT_MIB + analysis["predicted_memory_mib"]
    assert least < planned(service, analysis["id"]) < least + 300
    assert service.sidecar.requests[-1]["is_on_gpu"]


def test_without_a_gpu_it_has_a_slot_for_itself(service: Service, lease: Lease) -> None:
    assert planned(service, request(service, lease)["id"]) == 0.0


def test_margins_are_cut_to_the_largest_device(service: Service, lease: Lease) -> None:
    add_gpu(service, 800)  # of which jobs get 720
    assert planned(service, request(service, lease)["id"]) == 720


def test_what_does_not_fit_without_margins_is_refused_with_both_numbers(
    service: Service, lease: Lease
) -> None:
    add_gpu(service, 650)
    detail = faults(service, lease, REQUEST)["/kind"]
    assert "needs about 612 MiB of memory for this network, 600 MiB of it for CUDA" in detail
    assert "the largest device has 585 MiB" in detail


def test_the_limit_that_the_owner_chose_for_the_job_is_not_that_of_its_analysis(
    service: Service,
) -> None:
    add_gpu(service, 80_000)
    lease = service.start_job(resources={"gpu_memory_mib": 5000})
    service.record(lease, checkpoints=[with_file(service, lease, checkpoint_row("last"))])
    analysis = request(service, lease)
    assert planned(service, analysis["id"]) < 1000
    query = sa.select(tables.jobs.c.id, tables.jobs.c.spec)
    with service.database.read() as connection:
        limits = {
            row.id: row.spec["resources"]["gpu_memory_mib"] for row in connection.execute(query)
        }
    assert limits == {lease.job_id: 5000, analysis["id"]: None}


@pytest.mark.parametrize(("stage", "first"), [("first", "head"), ("second", None), ("gone", None)])
def test_the_prediction_is_for_the_layers_that_the_stage_trains(
    service: Service, stage: str, first: str | None
) -> None:
    lease = service.start_job(fine_tuning=STAGES, training={})
    row = checkpoint_row("last", stage=stage)
    service.record(lease, checkpoints=[with_file(service, lease, row)])
    request(service, lease)
    assert service.sidecar.requests[-1]["first"] == first
