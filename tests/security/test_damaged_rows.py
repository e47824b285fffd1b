"""A value that cannot be read, in any column of any table, stops no route, queue or list."""

from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import TypeAdapter

from api.jobs.schemas import Job, UnreadableJob
from shared import tables, uploaded_datasets
from shared.clock import now
from shared.ids import new_id
from shared.jobs import liveness, mlflow_sync
from shared.jobs.attempts import Lease
from shared.jobs.estimates.history import Measured, add
from shared.jobs.extremes import keep_extremes
from shared.jobs.findings import NO_FINDINGS, NewDiagnosis, NewWatch
from shared.uploaded_datasets import DatasetRow
from tests.api.jobs.results.files import SHA256, artifact_of, evaluate, with_file
from tests.api.service import SPEC, Service, checkpoint_row, metric_row
from tests.security.damage import Shell, values_for
from tests.shared.jobs.estimates.examples import cost
from tests.shared.rows import finding

JOB = "/v1/jobs/{job}"
LISTS = ("/v1/jobs", "/v1/jobs?owner=admin&tag=a&named=a", "/metrics")
METRICS = (f"{JOB}/metrics", f"{JOB}/metrics?format=csv&points=2", f"{JOB}/tensorboard")
TOP_K = (f"{JOB}/top-k", f"{JOB}/confusion")
CHECKPOINTS = (f"{JOB}/checkpoints", f"{JOB}/checkpoints/last/download")
ARTIFACTS = (f"{JOB}/artifacts", f"{JOB}/artifacts/a.csv/download")
ANALYSES = (f"{JOB}/analyses", "/v1/analyses", "/v1/analyses/{analysis}")
EVENTS = (f"{JOB}/events", f"{JOB}/events?after=1")
COMPARED = ("/v1/leaderboard?dataset=digits&metric=val_loss", "/v1/compare?jobs={job},{whole}")
OF_ROWS = (CHECKPOINTS[0], ARTIFACTS[0], "/metrics")
#: Where a value of each table can be seen.
ADDRESSES: dict[str, tuple[str, ...]] = {
    "jobs": (JOB, f"{JOB}/logs", EVENTS[0], METRICS[0], METRICS[2], *TOP_K, *OF_ROWS),
    "live": (JOB, *LISTS, "/v1/queue", "/v1/devices"),
    "attempts": (JOB, f"{JOB}/logs", COMPARED[0]),
    "events": (JOB, *EVENTS),
    "metrics": METRICS,
    "extremes": (*COMPARED, JOB),
    "checkpoints": (*CHECKPOINTS, *TOP_K),
    "evaluations": TOP_K,
    "artifacts": (*ARTIFACTS, *ANALYSES),
    "analyses": ANALYSES,
    "findings": (f"{JOB}/findings",),
    "watches": (JOB,),
    "verifications": (f"{JOB}/findings",),
    "weights": ("/v1/weights", "/v1/weights/{weights}"),
    "datasets": ("/v1/datasets", "/v1/datasets/flowers", "/v1/datasets/flowers/versions"),
    "workers": ("/metrics", "/readyz", "/v1/devices", "/v1/queue"),
    "quarantine": (JOB, *LISTS),
    "deletions": (JOB,),
    "tags": LISTS,
    "tracking": (JOB,),
    "leases": ("/readyz",),
    "ledger": ("/v1/queue",),
    "used_days": ("/v1/me",),
    "idempotency": (JOB,),
    "observations": ("/metrics", f"{JOB}/explain"),
    "sidecar_responses": (JOB,),
    "users": (JOB, *LISTS),
    "keys": (JOB,),
    "sessions": (JOB, "/v1/sessions"),
    "audit": (JOB,),
}
#: Tables without rows here.
EMPTY = {"deletions", "sidecar_responses", "quarantine", "keys", "sessions", "audit"}
#: A damaged path or digest of a file looks like a damaged file, which is a 500.
OF_FILES = {("checkpoints", "sha256"), ("artifacts", "sha256"), ("checkpoints", "bytes")} | {
    ("artifacts", "bytes")
}


MEASURED = Measured(device_model="a", pass_seconds=1.0, seconds=9.0, is_last=True)


@dataclass
class Box:
    """A service with a running job that has recorded everything, and a job that is whole."""

    service: Service
    shell: Shell
    lease: Lease
    whole: str
    weights: str
    analysis: str

    def get(self, address: str) -> int:
        ids = {"job": self.lease.job_id, "whole": self.whole}
        path = address.format(weights=self.weights, analysis=self.analysis, **ids)
        return self.service.client.get(path).status_code

    def where(self, table: sa.Table) -> str:
        """Return the condition for the rows of the job that is damaged."""
        if table is tables.jobs:
            return f"id = '{self.lease.job_id}'"
        return f"job_id = '{self.lease.job_id}'" if "job_id" in table.c else "1 = 1"


@pytest.fixture
def box(service: Service, shell: Shell) -> Box:
    weights = new_id("weights")
    whole = service.submit(name="whole")
    service.stop(service.claim())
    service.post(f"/v1/jobs/{whole}/cancel")
    key = {"Idempotency-Key": "k"}
    service.post("/v1/jobs", {**SPEC, "name": "a", "tags": {"a": "b"}}, **key)
    lease = service.claim()
    rows = [checkpoint_row("best", 10, monitor="val_loss", mode="min", value=0.5)]
    rows += [checkpoint_row("last", 10)]
    service.record(
        lease,
        metrics=[metric_row("val_loss", step, 0.5) for step in (10, 20, 30)],
        checkpoints=[with_file(service, lease, row) for row in rows],
        artifacts=[artifact_of(service, lease, "a.csv", "text/csv")],
        diagnosis=NewDiagnosis(findings=[finding()], counts=dict(NO_FINDINGS)),
        watch=NewWatch(step=10, epoch=1, data={"findings": []}),
    )
    evaluate(service, lease)
    with service.database.write() as connection:
        liveness.record_heartbeat(connection, lease, pid=2**30, progress={"epoch": 1, "epochs": 2})
        liveness.record_worker(connection, worker="w", host="h", pid=7, devices=[{"name": "cpu:0"}])
        liveness.take_lead(connection, "reaper", "w", seen=None)
        mlflow_sync.record_run(connection, lease.job_id, "run")
        upload = {"id": weights, "owner": "admin", "name": "", "bytes": 3, "sha256": SHA256}
        upload |= {"tensors": 1, "parameters": 1, "created_at": now()}
        connection.execute(sa.insert(tables.weights), upload)
        connection.execute(sa.delete(tables.datasets))
        uploaded_datasets.add(connection, _dataset())
        add(connection, lease, cost(), MEASURED, now())
        keep_extremes(connection, lease.job_id)
        check = {"patch_id": new_id("pat"), "job_id": lease.job_id, "finding_id": "fnd_1"}
        check |= {"fork_id": whole, "null_id": whole, "created_at": now()}
        connection.execute(sa.insert(tables.verifications), check)
    analysis = service.post(f"/v1/jobs/{lease.job_id}/analyses", {"kind": "curvature"}).json()
    return Box(service, shell, lease, whole, weights, analysis["id"])


def _dataset() -> DatasetRow:
    classes = [
        {"name": name, "images": 30, "train": None, "validation": None, "test": None}
        for name in ("rose", "tulip")
    ]
    report = {"kind": "images", "task": "classification", "images": 60, "classes": classes}
    report |= {"image_sizes": {"min": [32, 32], "median": [32, 32], "max": [32, 32]}}
    report |= {"channels": 3, "mean": [0.5] * 3, "std": [0.1] * 3, "warnings": [], "rejected": []}
    return DatasetRow(
        id=new_id("ds"),
        owner="admin",
        name="flowers",
        version=1,
        bytes=3,
        skip_bad=False,
        target=None,
        path=None,
        state="ready",
        attempts=1,
        content_hash=f"sha256:{SHA256}",
        report=report,
        created_at=now(),
    )


def test_every_table_is_walked() -> None:
    assert ADDRESSES.keys() == tables.metadata.tables.keys()


#: Of a sample, every column is damaged by every third of the values.
strides = pytest.mark.parametrize(
    "stride", [pytest.param(3, id="sample"), pytest.param(1, id="all", marks=pytest.mark.long)]
)


@strides
@pytest.mark.parametrize("name", ADDRESSES)
def test_damaged_value_stops_no_route(box: Box, name: str, stride: int) -> None:
    table = tables.metadata.tables[name]
    faults: list[tuple[str, str, str, int]] = []
    taken = 0
    for index, column in enumerate(table.c):
        for value in values_for(box.service.database, column)[index % stride :: stride]:
            with box.shell.damaged(table, column.name, value, box.where(table)) as is_taken:
                taken += is_taken
                for address in ADDRESSES[name] if is_taken else ():
                    status = box.get(address)
                    is_other_part = address == "/readyz" or (name, column.name) in OF_FILES
                    if status >= 500 and not is_other_part:
                        faults.append((column.name, value[:40], address, status))
    assert faults == []
    assert taken or name in EMPTY


@strides
def test_damaged_job_leaves_the_list_as_declared(box: Box, stride: int) -> None:
    """The list and the job have the form that the OpenAPI document declares, whatever is wrong."""
    declared = TypeAdapter[Any](Job | UnreadableJob)
    whole = box.service.job(box.whole)
    del whole["attempts"]
    for index, column in enumerate(tables.jobs.c):
        for value in values_for(box.service.database, column)[index % stride :: stride]:
            with box.shell.damaged(tables.jobs, column.name, value, box.where(tables.jobs)):
                listed = box.service.client.get("/v1/jobs").raise_for_status().json()["data"]
                assert whole in listed
                assert len(listed) == 2
                for job in listed:
                    declared.validate_python(job)
                if column.name != "id":
                    declared.validate_python(box.service.job(box.lease.job_id))
