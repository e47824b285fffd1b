"""Checkpoints and their files, top-k, confusion, artifacts."""

import hashlib
import math
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from shared import predictions
from shared.ids import new_id
from shared.jobs.attempts import Lease
from shared.jobs.recording import NewArtifact, NewCheckpoint, NewEvaluation
from shared.predictions import Prediction
from shared.storage import WEIGHTS
from tests.api.service import RECORDED_AT, Service, checkpoint_row

CONTENT = bytes(range(256)) * 40
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def _with_file(service: Service, lease: Lease, row: NewCheckpoint) -> NewCheckpoint:
    directory = service.storage.attempt(lease.job_id, 1) / f"step-{row.step}"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / WEIGHTS).write_bytes(CONTENT)
    relative = service.storage.relative(directory)
    return replace(row, directory=relative, sha256=DIGEST, bytes=len(CONTENT))


@pytest.fixture
def lease(service: Service) -> Lease:
    """A job with a checkpoint of each kind."""
    lease = service.start_job()
    rows = [
        checkpoint_row("initial", 0, epoch=0),
        checkpoint_row("best", 10, monitor="val_loss", mode="min", value=0.5),
        checkpoint_row("last", 20, epoch=2),
        checkpoint_row("series", 20, epoch=2),
        checkpoint_row("last", 30, epoch=3),
    ]
    service.record(lease, checkpoints=[_with_file(service, lease, row) for row in rows])
    return lease


class TestCheckpoints:
    def test_a_list_with_names_and_without_what_is_kept_for_safety(
        self, service: Service, lease: Lease
    ) -> None:
        found = service.client.get(f"/v1/jobs/{lease.job_id}/checkpoints").json()["data"]
        assert [one["name"] for one in found] == ["initial", "best_val_loss", "epoch_2", "last"]
        best = found[1]
        assert (best["monitor"], best["value"], best["epoch"], best["step"]) == (
            "val_loss",
            0.5,
            1,
            10,
        )
        assert (best["bytes"], best["sha256"]) == (len(CONTENT), DIGEST)
        assert found[-1]["monitor"] is None

    def test_pages(self, service: Service, lease: Lease) -> None:
        at = f"/v1/jobs/{lease.job_id}/checkpoints"
        first = service.client.get(at, params={"limit": 3}).json()
        rest = service.client.get(at, params={"after": first["data"][-1]["id"]}).json()
        assert (len(first["data"]), first["has_more"]) == (3, True)
        assert (len(rest["data"]), rest["has_more"]) == (1, False)

    def test_a_download_by_id_and_by_name(self, service: Service, lease: Lease) -> None:
        at = f"/v1/jobs/{lease.job_id}/checkpoints"
        found = service.client.get(at).json()["data"]
        for name in ("best_val_loss", "last", "initial", found[1]["id"]):
            answer = service.client.get(f"{at}/{name}/download")
            assert answer.content == CONTENT
            assert answer.headers["etag"] == f'"{DIGEST}"'
            assert answer.headers["content-disposition"].startswith("attachment")

    def test_the_id_of_what_was_last_stays_good_while_its_file_is_there(
        self, service: Service, lease: Lease
    ) -> None:
        at = f"/v1/jobs/{lease.job_id}/checkpoints"
        last = service.client.get(at).json()["data"][-1]
        newer = _with_file(service, lease, checkpoint_row("last", 40, epoch=4))
        service.record(lease, checkpoints=[newer])
        listed = service.client.get(at).json()["data"]
        assert (listed[-1]["name"], listed[-1]["id"]) == ("last", newer.id)
        assert last["id"] not in {one["id"] for one in listed}
        assert service.client.get(last["download"]).content == CONTENT
        assert service.client.get(f"{at}/previous/download").status_code == 404
        (service.storage.attempt(lease.job_id, 1) / "step-30" / WEIGHTS).unlink()
        assert service.client.get(last["download"]).status_code == 404

    def test_ranges(self, service: Service, lease: Lease) -> None:
        at = f"/v1/jobs/{lease.job_id}/checkpoints/last/download"
        part = service.client.get(at, headers={"Range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, CONTENT[100:200])
        assert part.headers["content-range"] == f"bytes 100-199/{len(CONTENT)}"
        rest = service.client.get(at, headers={"Range": "bytes=10000-"})
        assert rest.content == CONTENT[10_000:]
        fresh = {"Range": "bytes=0-9", "If-Range": f'"{DIGEST}"'}
        assert service.client.get(at, headers=fresh).status_code == 206
        stale = {"Range": "bytes=0-9", "If-Range": '"another"'}
        assert service.client.get(at, headers=stale).status_code == 200
        many = "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 10_000, 2))
        for outside in ("bytes=99999-", many):
            answer = service.client.get(at, headers={"Range": outside})
            assert answer.status_code == 416
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["content-range"] == f"bytes */{len(CONTENT)}"
            assert answer.json()["bytes"] == len(CONTENT)
        assert service.client.get(at, headers={**stale, "Range": "bytes=99999-"}).status_code == 200

    def test_a_head_tells_of_the_file_and_hears_no_range(
        self, service: Service, lease: Lease
    ) -> None:
        at = f"/v1/jobs/{lease.job_id}/checkpoints/last/download"
        for wanted in ("bytes=0-9", "bytes=99999-"):
            answer = service.client.head(at, headers={"Range": wanted})
            assert (answer.status_code, answer.content) == (200, b"")
            assert answer.headers["content-length"] == str(len(CONTENT))
            assert answer.headers["accept-ranges"] == "bytes"
            assert answer.headers["etag"] == f'"{DIGEST}"'

    def test_several_ranges_come_as_parts(self, service: Service, lease: Lease) -> None:
        at = f"/v1/jobs/{lease.job_id}/checkpoints/last/download"
        answer = service.client.get(at, headers={"Range": "bytes=0-3,9-9,99999-"})
        assert answer.status_code == 206
        assert answer.headers["content-type"].startswith("multipart/byteranges")
        for part in (b"0-3", b"9-9"):
            assert b"Content-Range: bytes " + part + b"/10240" in answer.content

    @pytest.mark.parametrize("header", ["foo", "items=0-4", "bytes=4-2", "bytes="])
    def test_a_range_that_is_none_is_as_good_as_not_asked_for(
        self, service: Service, lease: Lease, header: str
    ) -> None:
        at = f"/v1/jobs/{lease.job_id}/checkpoints/last/download"
        answer = service.client.get(at, headers={"Range": header})
        assert (answer.status_code, answer.content) == (200, CONTENT)

    def test_what_is_known_is_not_sent_again(self, service: Service, lease: Lease) -> None:
        at = f"/v1/jobs/{lease.job_id}/checkpoints/last/download"
        for known in (f'"{DIGEST}"', f'"x", W/"{DIGEST}"', "*"):
            answer = service.client.get(
                at, headers={"If-None-Match": known, "Range": "bytes=99999-"}
            )
            assert (answer.status_code, answer.content) == (304, b"")
            assert answer.headers["etag"] == f'"{DIGEST}"'
        answer = service.client.get(at, headers={"If-None-Match": '"another"'})
        assert (answer.status_code, answer.content) == (200, CONTENT)

    def test_a_name_of_nothing_says_what_there_is(self, service: Service, lease: Lease) -> None:
        at = f"/v1/jobs/{lease.job_id}/checkpoints"
        answer = service.client.get(f"{at}/best_accuracy/download")
        assert answer.status_code == 404
        assert "best_val_loss" in answer.json()["detail"]

    def test_a_directory_out_of_the_storage_is_not_followed(
        self, service: Service, lease: Lease
    ) -> None:
        stolen = service.settings.home / WEIGHTS
        stolen.write_bytes(b"secret")
        service.record(lease, checkpoints=[checkpoint_row("last", 40, directory="..")])
        answer = service.client.get(f"/v1/jobs/{lease.job_id}/checkpoints/last/download")
        assert answer.status_code == 404
        assert str(service.settings.home) not in answer.text


def _evaluate(
    service: Service, lease: Lease, names: tuple[str, ...] = ("last", "best_val_loss")
) -> list[dict[str, Any]]:
    """Test results of the best checkpoint and of the last."""
    found = service.client.get(f"/v1/jobs/{lease.job_id}/checkpoints").json()["data"]
    by_name = {one["name"]: one for one in found}
    rows = []
    for name in names:
        label = int(name == "last")
        path = service.storage.results(lease.job_id) / f"{name}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        said = [Prediction(n, label, (0, 1), (0.75, 0.25)) for n in range(100, 130)]
        predictions.write(path, said)
        data = {"loss": 0.5, "accuracy": 0.9, "top_k": {"1": 0.9, "2": 1.0}, "per_class": []}
        data |= {"mistakes": [], "classes": ["cat", "dog"], "confusion": [[3, label], [0, 4]]}
        rows.append(
            NewEvaluation(
                checkpoint_id=by_name[name]["id"],
                split="test",
                data=data,
                predictions=service.storage.relative(path),
            )
        )
    service.record(lease, evaluations=rows)
    return found


class TestTopK:
    def test_accuracies_of_each_and_samples_of_the_best(
        self, service: Service, lease: Lease
    ) -> None:
        _evaluate(service, lease)
        found = service.client.get(f"/v1/jobs/{lease.job_id}/top-k", params={"limit": 2}).json()
        assert [one["name"] for one in found["checkpoints"]] == ["best_val_loss", "last"]
        assert found["checkpoints"][0]["top_k"] == {"1": 0.9, "2": 1.0}
        samples = found["samples"]
        assert samples["has_more"]
        assert samples["checkpoint"] == found["checkpoints"][0]["checkpoint"]
        assert samples["data"][0] == {
            "sample": 100,
            "label": 0,
            "label_name": "cat",
            "right": True,
            "classes": [
                {"class": 0, "name": "cat", "probability": 0.75},
                {"class": 1, "name": "dog", "probability": 0.25},
            ],
        }

    def test_samples_by_number_and_by_page(self, service: Service, lease: Lease) -> None:
        _evaluate(service, lease)
        at = f"/v1/jobs/{lease.job_id}/top-k"
        by_number = service.client.get(at, params={"sample": [129, 105]}).json()["samples"]
        assert [one["sample"] for one in by_number["data"]] == [105, 129]
        page = service.client.get(at, params={"after": 28}).json()["samples"]
        assert [one["sample"] for one in page["data"]] == [128, 129]
        last = service.client.get(at, params={"checkpoint": "last", "limit": 1}).json()["samples"]
        assert last["data"][0]["right"] is False
        assert service.client.get(at, params={"checkpoint": "epoch_2"}).status_code == 404

    def test_samples_by_number_are_all_there_whatever_the_page(
        self, service: Service, lease: Lease
    ) -> None:
        _evaluate(service, lease)
        at = f"/v1/jobs/{lease.job_id}/top-k"
        asked = {"sample": list(range(100, 130)), "limit": 1, "after": 7}
        samples = service.client.get(at, params=asked).json()["samples"]
        assert [one["sample"] for one in samples["data"]] == asked["sample"]
        assert samples["has_more"] is False

    def test_samples_out_of_the_test_split_are_named(self, service: Service, lease: Lease) -> None:
        _evaluate(service, lease)
        at = f"/v1/jobs/{lease.job_id}/top-k"
        answer = service.client.get(at, params={"sample": [105, 131, 7]})
        assert answer.status_code == 404
        assert answer.json()["samples"] == [7, 131]
        assert "7, 131" in answer.json()["detail"]

    def test_a_sample_without_finite_scores_is_wrong_and_has_no_probabilities(
        self, service: Service, lease: Lease
    ) -> None:
        _evaluate(service, lease)
        said = [Prediction(0, 0, (0, 1), (math.nan, math.nan))]
        predictions.write(service.storage.results(lease.job_id) / "last.bin", said)
        at = f"/v1/jobs/{lease.job_id}/top-k"
        found = service.client.get(at, params={"checkpoint": "last"}).json()["samples"]["data"][0]
        assert found["right"] is False
        assert [one["probability"] for one in found["classes"]] == ["nan", "nan"]

    def test_a_checkpoint_that_comes_between_two_readings_does_no_harm(
        self, service: Service, lease: Lease
    ) -> None:
        _evaluate(service, lease)
        at = f"/v1/jobs/{lease.job_id}/top-k"
        before = service.client.get(at).json()
        engine, came = service.app.state.services.database.engine, []

        def come(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if "FROM checkpoints" in statement and not came:
                came.append(_with_file(service, lease, checkpoint_row("series", 40, epoch=4)))
                data = {"loss": 0.5, "accuracy": 0.9, "top_k": {}, "per_class": []}
                data |= {"mistakes": [], "classes": ["cat", "dog"], "confusion": [[0, 0], [0, 0]]}
                row = NewEvaluation(
                    checkpoint_id=came[0].id, split="test", data=data, predictions=""
                )
                service.record(lease, checkpoints=came, evaluations=[row])

        sa.event.listen(engine, "after_cursor_execute", come)
        try:
            assert service.client.get(at).json() == before
        finally:
            sa.event.remove(engine, "after_cursor_execute", come)
        names = [one["name"] for one in service.client.get(at).json()["checkpoints"]]
        assert names == ["best_val_loss", "last", "epoch_4"]

    def test_before_the_end_there_is_none(self, service: Service, lease: Lease) -> None:
        for path in ("top-k", "confusion"):
            answer = service.client.get(f"/v1/jobs/{lease.job_id}/{path}")
            assert answer.status_code == 409
            assert "end" in answer.json()["detail"]


class TestUnasked:
    """Which checkpoint speaks for the job: the best one by the specification's first monitor."""

    def _job(self, service: Service, *monitors: str) -> Lease:
        rules = [{"monitor": monitor, "mode": "min"} for monitor in monitors]
        lease = service.start_job(checkpoints=[{"epoch": 0}, *rules])
        for monitor in ("val_loss", "val_data_loss"):  # in the order of their ids
            row = checkpoint_row("best", 10, monitor=monitor, mode="min", value=0.5)
            service.record(lease, checkpoints=[row])
        service.record(lease, checkpoints=[checkpoint_row("last", 30)])
        return lease

    def _names(self, service: Service, lease: Lease) -> tuple[str, list[str]]:
        at = f"/v1/jobs/{lease.job_id}"
        found = service.client.get(f"{at}/top-k").json()
        confusion = service.client.get(f"{at}/confusion").json()
        assert found["samples"]["checkpoint"] == confusion["checkpoint"]
        return confusion["name"], [one["name"] for one in found["checkpoints"]]

    def test_the_specification_has_the_order(self, service: Service) -> None:
        lease = self._job(service, "val_data_loss", "val_loss")
        _evaluate(service, lease, ("last", "best_val_loss", "best_val_data_loss"))
        names = ["best_val_data_loss", "best_val_loss", "last"]
        assert self._names(service, lease) == (names[0], names)

    def test_where_it_is_lost_the_last_does(self, service: Service) -> None:
        lease = self._job(service, "val_data_loss", "val_loss")
        _evaluate(service, lease, ("best_val_loss", "last"))
        assert self._names(service, lease) == ("last", ["best_val_loss", "last"])

    def test_where_nothing_is_watched_the_last_does(self, service: Service) -> None:
        lease = self._job(service)
        _evaluate(service, lease, ("last",))
        assert self._names(service, lease) == ("last", ["last"])


def test_confusion(service: Service, lease: Lease) -> None:
    _evaluate(service, lease)
    at = f"/v1/jobs/{lease.job_id}/confusion"
    best = service.client.get(at).json()
    assert best["name"] == "best_val_loss"
    assert best["classes"] == ["cat", "dog"]
    assert best["matrix"] == [[3, 0], [0, 4]]
    assert service.client.get(at, params={"checkpoint": "last"}).json()["matrix"] == [
        [3, 1],
        [0, 4],
    ]


def test_artifacts(service: Service, lease: Lease) -> None:
    path = service.storage.results(lease.job_id) / "page.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("<script>")
    row = NewArtifact(
        id=new_id("artifact"),
        name='a"\r\nX-Evil: 1.html',
        path=service.storage.relative(path),
        media_type="text/html",
        bytes=8,
        sha256="1" * 64,
        created_at=RECORDED_AT,
    )
    service.record(lease, artifacts=[row])
    found = service.client.get(f"/v1/jobs/{lease.job_id}/artifacts").json()["data"]
    assert [one["name"] for one in found] == [row.name]
    answer = service.client.get(found[0]["download"])
    assert answer.text == "<script>"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "x-evil" not in answer.headers
    known = {"If-None-Match": f'"{row.sha256}"'}
    assert service.client.get(found[0]["download"], headers=known).status_code == 304
    assert service.client.head(found[0]["download"]).headers["content-length"] == "8"
    outside = service.client.get(found[0]["download"], headers={"Range": "bytes=8-"})
    assert outside.status_code == 416
    assert outside.headers["content-range"] == "bytes */8"
    missing = service.client.get(f"/v1/jobs/{lease.job_id}/artifacts/another/download")
    assert missing.status_code == 404


def test_a_best_value_may_be_infinite(service: Service) -> None:
    lease = service.start_job()
    best = checkpoint_row("best", monitor="gradient_norm", mode="max", value=math.inf)
    service.record(lease, checkpoints=[best])
    (found,) = service.client.get(f"/v1/jobs/{lease.job_id}/checkpoints").json()["data"]
    assert found["value"] == "inf"


class TestNoResults:
    """Why there are none is told as it is."""

    def _told(self, service: Service, job_id: str) -> str:
        answer = service.client.get(f"/v1/jobs/{job_id}/top-k")
        assert answer.status_code == 409
        return answer.json()["detail"]

    def test_of_a_job_that_asks_for_a_number_there_will_be_none(self, service: Service) -> None:
        waiting = service.submit(dataset={"name": "digits", "target": "rotation"})
        assert self._told(service, waiting).startswith("The job asks for a number")

    def test_of_a_job_that_has_ended_none_will_come(self, service: Service) -> None:
        job_id = service.submit()
        assert "they come at its end" in self._told(service, job_id)
        service.post(f"/v1/jobs/{job_id}/cancel")
        assert self._told(service, job_id).startswith("The job is cancelled and was never tested")
