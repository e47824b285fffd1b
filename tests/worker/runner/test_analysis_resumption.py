"""An analysis whose attempt ends early continues from its partial results."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from shared import tables
from shared.jobs import attempts
from shared.storage import PARTIAL, Storage, sha256_of_file
from tests.worker.runner.analysed_jobs import Heartbeat, files_of, run, submit, trained
from tests.worker.runner.jobs import Jobs
from worker.analyses.landscape import Landscape
from worker.assignment import ExitCode
from worker.runner import analysis, partial_file, retry
from worker.runner.failures import MaxRuntimeReached

__all__ = ["trained"]

#: 1 + 2·5 + 3·3 points.
SURFACE: dict[str, Any] = {"directions": 2, "points": 5, "grid": 3, "samples": 32}
POINTS = 20


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture(autouse=True)
def always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial_file, "MIN_SECONDS", 0.0)
    monkeypatch.setattr(partial_file, "WRITING_FACTOR", 0)


def _partial_files(jobs: Jobs, analysis_id: str) -> list[Path]:
    return sorted(jobs.storage.job(analysis_id).glob(f"*/{PARTIAL}"))


def _count_points(monkeypatch: pytest.MonkeyPatch, *, kill_at: int | None = None) -> list[int]:
    """Return a list that grows with each point that is computed; the process ends at a point."""
    computed: list[int] = []
    height = Landscape.height

    def counted(*arguments: Any) -> Any:
        if len(computed) + 1 == kill_at:
            raise Killed
        computed.append(1)
        return height(*arguments)

    monkeypatch.setattr(Landscape, "height", counted)
    return computed


def _digests(jobs: Jobs, analysis_id: str) -> dict[str, str]:
    return {name: row.sha256 for name, row in files_of(jobs, analysis_id).items()}


def _undisturbed(jobs: Jobs) -> tuple[Any, dict[str, str]]:
    analysis_id = submit(jobs, "loss_surface", **SURFACE)
    assert run(jobs)[0] == ExitCode.DONE
    result, digests = jobs.job(analysis_id).result, _digests(jobs, analysis_id)
    with jobs.database.write() as connection:
        connection.execute(sa.delete(tables.jobs).where(tables.jobs.c.id == analysis_id))
    return result, digests


def _kill(jobs: Jobs, monkeypatch: pytest.MonkeyPatch, *, at_point: int) -> None:
    """Run an attempt whose process ends at a point, and queue the analysis again."""
    with monkeypatch.context() as patch:
        _count_points(patch, kill_at=at_point)
        patch.setattr(Storage, "delete_partial_results", lambda *_: pytest.fail("deleted"))
        with pytest.raises(Killed):
            run(jobs)
    _give_back(jobs)


def _give_back(jobs: Jobs) -> None:
    with jobs.database.write() as connection:
        running = sa.select(tables.jobs.c.id, tables.jobs.c.attempt)
        row = connection.execute(running.where(tables.jobs.c.state == "running")).one()
        attempts.stop(connection, attempts.Lease(row.id, row.attempt), "worker_lost")


def test_a_killed_analysis_continues_and_has_the_same_result_and_files(
    trained: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = _undisturbed(trained)
    analysis_id = submit(trained, "loss_surface", **SURFACE)
    _kill(trained, monkeypatch, at_point=8)
    _kill(trained, monkeypatch, at_point=6)
    (path,) = _partial_files(trained, analysis_id)
    assert path.parent.name == "2", "the file of the first attempt is replaced"
    computed = _count_points(monkeypatch)
    code, attempt = run(trained)
    assert code == ExitCode.DONE
    assert len(computed) == POINTS - 7 - 5
    assert (trained.job(analysis_id).result, _digests(trained, analysis_id)) == expected
    assert _partial_files(trained, analysis_id) == []
    reports = attempt.heartbeat.reports  # pyright: ignore[reportAttributeAccessIssue]
    assert [report["step"] for report in reports] == list(range(1, POINTS + 1))
    assert reports[11]["eta_seconds"] is None, "what an earlier attempt did says nothing of speed"


@pytest.mark.parametrize(
    ("first", "code"), [("drain", ExitCode.DRAINED), ("yield", ExitCode.YIELDED)]
)
def test_an_analysis_that_is_drained_or_gives_way_keeps_what_it_has(
    trained: Jobs, monkeypatch: pytest.MonkeyPatch, first: str, code: ExitCode
) -> None:
    monkeypatch.setattr(partial_file, "MIN_SECONDS", 1e9)  # only the stop itself writes
    analysis_id = submit(trained, "loss_surface", **SURFACE)
    monkeypatch.setattr(Heartbeat, "first", first)
    assert run(trained)[0] == code
    assert len(_partial_files(trained, analysis_id)) == 1
    _give_back(trained)
    monkeypatch.setattr(Heartbeat, "first", None)
    computed = _count_points(monkeypatch)
    assert run(trained)[0] == ExitCode.DONE
    assert len(computed) == POINTS - 1


@pytest.mark.parametrize("damage", ["content", "name", "other machine"])
def test_partial_results_that_cannot_be_used_are_computed_again(
    trained: Jobs, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    analysis_id = submit(trained, "loss_surface", **SURFACE)
    _kill(trained, monkeypatch, at_point=5)
    (path,) = _partial_files(trained, analysis_id)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    if damage == "content":
        path.write_bytes(content)
    elif damage == "name":
        path.write_bytes(b"not even a header")
        path.rename(path.with_name(f"partial-{sha256_of_file(path)}.safetensors"))
    else:
        monkeypatch.setattr(analysis, "machine_fingerprint", lambda _: {"device": "another"})
    computed = _count_points(monkeypatch)
    assert run(trained)[0] == ExitCode.DONE
    assert len(computed) == POINTS
    assert _partial_files(trained, analysis_id) == []


def test_an_attempt_that_lost_its_job_writes_no_partial_results(
    trained: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fenced(BaseException):
        pass

    def end(_: int) -> None:
        raise Fenced

    analysis_id = submit(trained, "loss_surface", **SURFACE)
    monkeypatch.setattr(retry.os, "_exit", end)
    height = Landscape.height

    def lose(*arguments: Any) -> Any:
        _give_back(trained)
        return height(*arguments)

    monkeypatch.setattr(Landscape, "height", lose)
    with pytest.raises(Fenced):
        run(trained)
    assert _partial_files(trained, analysis_id) == []


def test_a_full_disk_does_not_end_an_analysis(
    trained: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(partial_file, "save_tensors", fail)
    submit(trained, "loss_surface", **SURFACE)
    assert run(trained)[0] == ExitCode.DONE


def test_a_cancelled_analysis_leaves_no_partial_results(
    trained: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis_id = submit(trained, "loss_surface", **SURFACE)
    _kill(trained, monkeypatch, at_point=5)
    monkeypatch.setattr(Heartbeat, "first", "cancel")
    assert run(trained)[0] == ExitCode.CANCELLED
    assert _partial_files(trained, analysis_id) == []


def test_the_time_limit_counts_all_attempts_and_leaves_no_partial_results(
    trained: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis_id = submit(trained, "loss_surface", max_runtime_seconds=50, **SURFACE)
    _kill(trained, monkeypatch, at_point=5)
    with trained.database.write() as connection:
        ended = tables.attempts.c.ended_at
        own = tables.attempts.c.job_id == analysis_id
        at = connection.execute(sa.select(ended).where(own)).scalar_one()
        earlier = at.replace(year=at.year - 1)
        connection.execute(sa.update(tables.attempts).where(own).values(started_at=earlier))
    with pytest.raises(MaxRuntimeReached):
        run(trained)
    assert _partial_files(trained, analysis_id) == []
