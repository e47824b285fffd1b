"""Three people with keys share four simulated devices, on SQLite and on PostgreSQL."""

import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.e2e.conftest import wait_until
from tests.e2e.simulated_devices import NAMES, RESERVED_MIB, TOTAL_MIB, wait_for_device
from tests.e2e.team import LONG, Team, started_team, submit
from trainshed import Client

pytestmark = [pytest.mark.e2e, pytest.mark.long]

SMALL = {"gpu_memory_mib": 500}


@pytest.fixture(scope="module", params=["embedded", "composed"])
def started(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    postgresql_away: str | None,
) -> Iterator[Team]:
    directory = tmp_path_factory.mktemp("team")
    with started_team(request.param, directory, postgresql_away) as team:
        yield team


@pytest.fixture
def team(started: Team) -> Iterator[Team]:
    yield started
    started.clean()


def _weights(client: Client, job_id: str) -> dict[int, str]:
    """Return the digests of the weights of a job, by step."""
    return {row["step"]: row["sha256"] for row in client.checkpoints(job_id)}


def _waiting_people(team: Team) -> list[str]:
    """Return who waits, in the order of the queue, each person once."""
    called = {full: name for name, full in team.names.items()}
    return [*dict.fromkeys(called[entry["owner"]] for entry in team.admin.queue()["data"])]


def test_who_used_less_is_first_and_who_gives_way_continues_bit_for_bit(team: Team) -> None:
    ada, ben, eve = team.add("ada"), team.add("ben"), team.add("eve")
    running = team.fill(ada)
    adas = submit(ada)
    bens, eves = submit(ben), submit(eve)
    order = _waiting_people(team)
    assert order == [name for name in ("ben", "eve", "ada") if name in order]
    for job in (bens, eves):
        wait_for_device(team.admin, job)
    assert team.admin.get(bens)["started_at"] <= team.admin.get(eves)["started_at"]
    assert team.state(adas) == "queued"

    gave_way = [job for job in running if team.state(job) == "queued"]
    assert len(gave_way) == 2
    for job in gave_way:
        assert ada.get(job)["reason"] == "yielded"
        assert ada.explain(job)["summary"].startswith("It gave way to a waiting job")
    stopped_at = {job: max(_weights(ada, job)) for job in gave_way}
    undisturbed = next(job for job in running if job not in gave_way)
    ben.cancel(bens)
    eve.cancel(eves)
    for job in gave_way:
        wait_for_device(team.admin, job)
        common = set[int]()

        def have_common(job: str = job, common: set[int] = common) -> bool:
            steps = _weights(ada, job).keys() & _weights(ada, undisturbed).keys()
            common.update(step for step in steps if step > stopped_at[job])
            return bool(common)

        wait_until(have_common, "a checkpoint behind the yield")
        found, expected = _weights(ada, job), _weights(ada, undisturbed)
        assert {step: found[step] for step in common} == {step: expected[step] for step in common}
        assert [attempt["outcome"] for attempt in ada.get(job)["attempts"]] == ["yielded", None]
    assert len(ada.get(undisturbed)["attempts"]) == 1


def test_small_jobs_share_devices_until_other_processes_take_their_memory(team: Team) -> None:
    ada, ben, eve = team.add("ada"), team.add("ben"), team.add("eve")
    team.fill(ada)
    bens = submit(ben, resources=SMALL)
    shared = wait_for_device(team.admin, bens)
    device = next(row for row in ben.devices() if row["id"].endswith(shared))
    owners = {row["owner"]: row["job"] for row in device["jobs"]}
    assert owners == {team.names["ada"]: None, team.names["ben"]: bens}
    _check_memory(team)
    others = [name for name in NAMES if name != shared]
    team.show(*NAMES, foreign_mib=dict.fromkeys(others, TOTAL_MIB - RESERVED_MIB - 3_000 - 100))
    wait_until(lambda: _foreign_mib(ada) == dict.fromkeys(others, 500), "the other processes")
    eves = submit(eve, resources=SMALL)
    wait_until(lambda: eve.explain(eves)["reason"], "the reason")
    found = eve.explain(eves)
    assert found["reason"] == "memory"
    assert [row["missing_mib"] for row in found["devices"]] == [400, 400, 400, 400]
    team.show(*NAMES, foreign_mib=dict.fromkeys(others[1:], 500))
    wait_for_device(team.admin, eves)
    _check_memory(team)


def _check_memory(team: Team) -> None:
    for row in team.admin.devices():
        memory = row["memory_mib"]
        assert memory["jobs"] + memory["foreign"] + memory["reserved"] <= TOTAL_MIB, row


def _foreign_mib(client: Client) -> dict[str, float]:
    """Return the memory of processes that are no jobs, of each device that has some."""
    found = {row["id"].partition("/")[2]: row["memory_mib"]["foreign"] for row in client.devices()}
    return {name: mib for name, mib in found.items() if mib}


def test_a_change_that_explain_names_comes_true(
    team: Team, capsys: pytest.CaptureFixture[str]
) -> None:
    """A free device is held for a job on two devices; a job that ends before may have it."""
    people = [team.add(name) for name in ("ada", "ben", "eve")]
    ada, ben, eve = people
    # Jobs of high priority give way to nobody.
    limited = {**LONG["resources"], "max_runtime_seconds": 3_000}
    for client in people:
        wait_for_device(team.admin, submit(client, priority="high", resources=limited))
    large = submit(eve, resources={**LONG["resources"], "gpus": 2})
    wait_until(lambda: eve.explain(large)["reason"] == "devices", "the job that waits for two")
    held = submit(ben)
    wait_until(lambda: ben.explain(held)["reason"] == "reserved", "the reason of the other")
    change = ben.explain(held)["would_start_now_if"][0]
    assert change == {"patch": {"max_runtime_seconds": 900}, "via": "patch"}
    team.wait_for_spare()
    ben.update(held, change["patch"])
    wait_for_device(team.admin, held)
    changed_at = next(event["at"] for event in ben.events(held) if event["type"] == "changed")
    seconds = (_time(ben.get(held)["started_at"]) - _time(changed_at)).total_seconds()
    with capsys.disabled():
        sys.stderr.write(f"\nfrom the change to the start: {seconds:.2f} s\n")
    assert len(ben.get(held)["attempts"]) == 1
    assert ada.queue()["data"][0]["job"] is None
    assert eve.explain(large)["state"] == "queued"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _status(client: Client, method: str, path: str, body: Any = None) -> int:
    headers = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
    return client.http.request(method, path, json=body, headers=headers).status_code


def test_what_each_person_may_do(team: Team) -> None:
    owner, reader = team.add("ada"), team.add("ada", scope="read")
    other, viewer = team.add("ben"), team.add("vera", role="viewer", scope="read")
    job = submit(owner)
    wait_for_device(team.admin, job)
    address = f"/v1/jobs/{job}"
    callers = [viewer, other, reader, owner, team.admin]
    table: list[tuple[str, str, Any, tuple[int, ...]]] = [
        ("GET", address, None, (404, 404, 200, 200, 200)),
        *(
            ("GET", f"{address}/{part}", None, (404, 404, 200, 200, 200))
            for part in ("explain", "events", "metrics", "logs", "checkpoints", "findings")
        ),
        ("PATCH", address, {"notes": "mine"}, (403, 404, 403, 200, 200)),
        ("POST", f"{address}/fork", {"patch": []}, (403, 404, 403, 202, 202)),
        ("DELETE", address, None, (403, 404, 403, 409, 409)),
        ("POST", f"{address}/pause", None, (403, 404, 403, 202, 202)),
        ("POST", f"{address}/cancel", None, (403, 404, 403, 202, 202)),
        ("POST", "/v1/jobs/validate", LONG, (403, 200, 403, 200, 200)),
        ("POST", "/v1/jobs", LONG, (403, 202, 403, 202, 202)),
        *(("GET", path, None, (200,) * 5) for path in ("/v1/queue", "/v1/devices", "/v1/me")),
        ("GET", "/v1/users", None, (403, 403, 403, 403, 200)),
        ("GET", "/v1/audit", None, (200,) * 5),
        ("POST", "/v1/users", {"name": "mallory"}, (403, 403, 403, 403, 201)),
    ]
    wrong = [
        (method, path, found, expected)
        for method, path, body, expected in table
        if (found := tuple(_status(client, method, path, body) for client in callers)) != expected
    ]
    assert wrong == []
    assert owner.get(job)["notes"] == "mine"
    entries = team.admin.http.get("/v1/audit", params={"object": job}).json()["data"]
    assert {entry["user"] for entry in entries} == {team.names["ada"], "admin"}
    team.admin.disable_user(team.names["ben"])
    wait_until(lambda: _status(other, "GET", "/v1/me") == 401, "the end of the key")
