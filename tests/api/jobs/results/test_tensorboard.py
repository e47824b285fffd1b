"""The zip of event files, as TensorBoard reads it."""

import io
import math
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from api.jobs.results import tensorboard
from api.jobs.results.tensorboard import folder_of
from shared.jobs import queries
from shared.jobs.attempts import Lease
from tests.api.service import RECORDED_AT, Service, metric_row
from tests.worker.tensorboard.event_files import read, scalars
from worker.tensorboard.event_file import PREFIX, EventFile
from worker.tensorboard.summaries import histogram


def _unpack(service: Service, job_id: str, directory: Path) -> Path:
    """Download the zip, unpack it and return its only folder."""
    response = service.client.get(f"/v1/jobs/{job_id}/tensorboard")
    assert response.status_code == 200, response.text
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        archive.extractall(directory)
    (folder,) = directory.iterdir()
    return folder


def _record(service: Service, **changes: object) -> Lease:
    lease = service.start_job(**changes)
    test = metric_row("test_accuracy", 20, 0.6, split="test")
    rate = metric_row("learning_rate", 10, 0.25, split=None)
    rows = [metric_row("train_accuracy", 10, 0.5), metric_row("val_accuracy", 10, 0.75), rate]
    rows += [metric_row("train_accuracy", 20, 0.5), metric_row("val_accuracy", 20, 0.875), test]
    service.record(lease, metrics=rows)
    return lease


def test_the_splits_of_a_metric_are_runs_with_the_same_tag(
    service: Service, tmp_path: Path
) -> None:
    lease = _record(service, name="vgg he/l2")
    folder = _unpack(service, lease.job_id, tmp_path)
    assert folder.name == f"vgg-he-l2-{lease.job_id}"
    assert sorted(path.name for path in folder.iterdir()) == ["test", "train", "validation"]
    assert scalars(folder / "train", "accuracy") == [(10, 0.5), (20, 0.5)]
    assert scalars(folder / "validation", "accuracy") == [(10, 0.75), (20, 0.875)]
    assert scalars(folder / "test", "accuracy") == [(20, pytest.approx(0.6))]
    assert read(folder / "train").Tags()["scalars"] == ["accuracy", "learning_rate"]
    (event, _) = read(folder / "validation").Scalars("accuracy")
    assert event.wall_time == RECORDED_AT.timestamp()


def test_any_value_is_written(service: Service, tmp_path: Path) -> None:
    lease = service.start_job()
    values = [math.nan, math.inf, -math.inf, 1e300, -1e300, 5e-324, -0.1]
    rows = [metric_row("val_loss", 2**40 + n, value, epoch=1) for n, value in enumerate(values)]
    service.record(lease, metrics=rows)
    folder = _unpack(service, lease.job_id, tmp_path)
    points = scalars(folder / "validation", "loss")
    assert [step - 2**40 for step, _ in points] == [*range(len(values))]
    shown = [value for _, value in points]
    expected = [math.nan, math.inf, -math.inf, math.inf, -math.inf, 0, -0.1]
    assert shown == pytest.approx(expected, nan_ok=True)


def test_a_long_training_is_read_in_pages(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorboard, "PAGE", 3)
    lease = service.start_job()
    for step in range(1, 8):
        rows = [metric_row("train_loss", step, step / 2), metric_row("val_loss", step, step)]
        service.record(lease, metrics=rows)
    folder = _unpack(service, lease.job_id, tmp_path)
    assert scalars(folder / "train", "loss") == [(step, step / 2) for step in range(1, 8)]
    assert scalars(folder / "validation", "loss") == [(step, step) for step in range(1, 8)]


def test_files_of_the_worker_join_the_run_of_the_training_split(
    service: Service, tmp_path: Path
) -> None:
    """The second attempt withdraws histograms from step 11 on, but no stored metric."""
    lease = _record(service)
    directory = service.storage.tensorboard(lease.job_id)
    directory.mkdir(parents=True)
    summary = histogram("weights/a", torch.ones(3))
    assert summary is not None
    for attempt, purge_step, steps in ((1, None, (10, 20)), (2, 11, (20,))):
        with EventFile(directory / f"{PREFIX}{attempt:010d}", purge_step=purge_step) as file:
            for step in steps:
                file.summary(summary, step)
    folder = _unpack(service, lease.job_id, tmp_path)
    events = read(folder / "train")
    assert [event.step for event in events.Histograms("weights/a")] == [10, 20]
    assert scalars(folder / "train", "accuracy") == [(10, 0.5), (20, 0.5)]


def test_a_job_without_metrics_is_a_conflict_with_whether_some_will_come(service: Service) -> None:
    lease = service.start_job()
    path = f"/v1/jobs/{lease.job_id}/tensorboard"
    response = service.client.get(path)
    assert response.status_code == 409
    assert response.json()["detail"] == ("The job has no metrics yet: the first epoch has to end.")
    service.succeed(lease)
    assert "and will not have any" in service.client.get(path).json()["detail"]


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        (None, "{id}"),
        ("vgg", "vgg-{id}"),
        ("../..", "{id}"),
        ("a/b\\c: d", "a-b-c-d-{id}"),
        ("Übung 1", "Übung-1-{id}"),
        ("训练", "训练-{id}"),
        ("😀", "{id}"),
        ("x" * 200, "x" * 50 + "-{id}"),
        (".hidden", "hidden-{id}"),
    ],
)
def test_a_folder_has_the_name_of_the_job_as_far_as_file_systems_take_it(
    service: Service, name: str | None, folder: str
) -> None:
    job_id = service.submit()
    with service.database.read() as connection:
        job = queries.get_job(connection, job_id)
    assert job is not None
    assert folder_of(replace(job, name=name)) == folder.format(id=job_id)
