"""Role × scope × owner × visibility × every route: what is refused, and what does not exist.

The routes come from the application, so a new route is in the matrix on the day it is added.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from api.deps import declared_rights
from api.services.principal import LEVELS
from shared import tables
from shared.accounts import keys
from shared.accounts.roles import Level, Scope, level_of_role, level_of_scopes
from shared.clock import now
from shared.ids import new_id
from shared.jobs.findings import PARTS
from tests.api.accounts_box import PEOPLE, AccountsBox, accounts_box

OWNER = "otto"
#: Who makes the requests: a person and the scope of the key.
CALLERS: list[tuple[str, Scope]] = [
    ("vera", "read"),
    ("mia", "read"),
    ("mia", "submit"),
    ("ada", "submit"),
    ("ada", "admin"),
    ("otto", "read"),
    ("otto", "submit"),
]
#: What belongs to somebody, as paths name it.
OWNED = ("job_id", "analysis_id", "dataset", "weights_id", "key_id", "finding_id")
#: Changes that visible objects of others allow: they make something of the caller's.
OPEN_CHANGES = re.compile("/(fork|retry|predictions|analyses)$")
#: Of a person, who is another than the caller here: a caller who is no admin reads only oneself.
OF_ONESELF = {("GET", "/v1/users/{name}")}
FURTHER = {
    "checkpoint": "last",
    "index": "0",
    "true": "0",
    "predicted": "0",
    "artifact": "a.csv",
    "slot": "optimizers",
    "session_id": "ses_" + "0" * 26,
}
ABSENT = {
    "job_id": "job_" + "0" * 26,
    "analysis_id": "ana_" + "0" * 26,
    "dataset": "absent",
    "weights_id": "weights_" + "0" * 26,
    "key_id": "key_" + "0" * 10,
    "finding_id": "fnd_" + "0" * 26,
}
READS = {"GET", "HEAD"}
VISIBILITIES = ("queue", "team", "private")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsBox]:
    """Return one application for all requests of this file."""
    home = tmp_path_factory.mktemp("matrix")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "MAX_KEYS", 10_000)
        with accounts_box(f"sqlite:///{home / 'test.db'}", home) as box:
            yield box


@pytest.fixture(params=VISIBILITIES)
def visibility(opened: AccountsBox, request: pytest.FixtureRequest) -> str:
    """Return the visibility that the box has during the test."""
    opened.set_visibility(request.param)
    return request.param


def _objects(box: AccountsBox, owner: str) -> dict[str, str]:
    """Add a job, an analysis of it, a data set, weights and a key of a person."""
    job, analysis, weights = box.add_job(owner), new_id("ana"), new_id("weights")
    dataset, at = f"set-{weights[-12:]}", now()
    of_analysis = {"id": analysis, "subject_id": job, "kind": "curvature", "parameters": {}}
    of_analysis |= {"checkpoint_id": "ckpt", "checkpoint_name": "last", "memory_mib": 1.0}
    of_dataset = {"id": new_id("ds"), "owner": owner, "name": dataset, "version": 1, "bytes": 1}
    of_dataset |= {"skip_bad": False, "state": "checking", "attempts": 0, "created_at": at}
    of_weights = {"id": weights, "owner": owner, "name": "", "bytes": 1, "sha256": "0" * 64}
    of_weights |= {"tensors": 1, "parameters": 1, "created_at": at}
    of_finding = {"id": new_id("fnd"), "job_id": job, "rule": "dead_relu", "stage": "training"}
    of_finding |= {"severity": "error", "state": "open", "first_step": 0, "last_step": 0}
    parts: Any = {name: kind() for name, kind in PARTS.items()}
    of_finding |= {"epoch": 0, "data": {**parts, "patches": []}}
    with box.database.write() as connection:
        query = sa.select(tables.jobs).where(tables.jobs.c.id == job)
        row = connection.execute(query).mappings().one()
        connection.execute(sa.insert(tables.jobs), {**row, "id": analysis})
        connection.execute(sa.insert(tables.analyses), {**of_analysis, "fingerprint": analysis})
        connection.execute(sa.insert(tables.datasets), of_dataset)
        connection.execute(sa.insert(tables.weights), of_weights)
        connection.execute(sa.insert(tables.findings), of_finding)
    body = {"name": "k", "scopes": ["read"], "user": owner}
    key = box.request("admin", "admin", "POST", "/v1/keys", body).json()["id"]
    values = (job, analysis, dataset, weights, key, of_finding["id"])
    return dict(zip(OWNED, values, strict=True))


def _routes(box: AccountsBox) -> Iterator[tuple[str, str, Any]]:
    for (method, path), name in declared_rights(box.app).items():
        address = path.replace(":path", "")
        if path.startswith("/v1/datasets/"):
            address = address.replace("{name}", "{dataset}")
        if name is not None:
            yield method, address, name


def _address(path: str, objects: dict[str, str]) -> str:
    name = "zoe" if "/users/" in path else "first"
    return path.format_map({**FURTHER, **objects, "name": name})


def _is_visible(caller: str, level: Level, visibility: str, path: str) -> bool:
    if caller == OWNER or level is Level.ADMIN:
        return True
    return visibility == "team" and "{key_id}" not in path


def _text(response: Any, objects: dict[str, str]) -> str:
    """Return a refusal without what the request named."""
    text = response.text
    for value in objects.values():
        text = text.replace(value, "ID")
    return re.sub("Did you mean[^.]*|Available:[^.]*", "", text)


def test_every_route_for_every_caller(opened: AccountsBox, visibility: str) -> None:
    faults, count, shared = list[Any](), 0, _objects(opened, OWNER)
    for method, path, name in _routes(opened):
        assert opened.client.request(method, _address(path, shared)).status_code == 401, path
        owned, is_change = [part for part in OWNED if f"{{{part}}}" in path], method not in READS
        for caller, scope in CALLERS:
            level = min(level_of_role(PEOPLE[caller]), level_of_scopes([scope]))
            is_visible = not owned or _is_visible(caller, level, visibility, path)
            is_allowed = level >= LEVELS[name] and is_visible
            objects = _objects(opened, OWNER) if is_change and is_allowed and owned else shared
            response = opened.request(caller, scope, method, _address(path, objects))
            status, count = response.status_code, count + 1
            if level < LEVELS[name]:
                is_right = status == 403
            elif (method, path) in OF_ONESELF:
                is_right = (status == 403) == (level < Level.ADMIN)
            elif not is_visible:
                absent = opened.request(caller, scope, method, _address(path, ABSENT))
                is_like = _text(response, objects) == _text(absent, ABSENT)
                is_right = status == absent.status_code == 404 and is_like
            elif is_change and owned and caller != OWNER and level < Level.ADMIN:
                is_right = (status == 403) != bool(OPEN_CHANGES.search(path))
            else:
                is_right = status not in {401, 403}
            if not is_right:
                faults.append((method, path, caller, scope, status, response.text))
    assert faults == []
    assert count > 350


def test_lists_contain_what_may_be_read(opened: AccountsBox, visibility: str) -> None:
    with opened.database.write() as connection:  # so that the lists have a single page
        for table in (tables.jobs, tables.datasets, tables.weights, tables.keys):
            connection.execute(sa.delete(table))
    opened.keys.clear()
    theirs, own = _objects(opened, OWNER), _objects(opened, "mia")
    for path, part in (
        ("/v1/jobs?limit=100", "job_id"),
        ("/v1/datasets?limit=100", "dataset"),
        ("/v1/weights?limit=100", "weights_id"),
        ("/v1/keys?limit=100", "key_id"),
        (f"/v1/keys?limit=100&user={OWNER}", "key_id"),
        (f"/v1/jobs?limit=100&owner={OWNER}", "job_id"),
        (f"/v1/jobs?named={theirs['job_id']}", "job_id"),
    ):
        is_open = visibility == "team" and part != "key_id"
        text = opened.request("mia", "submit", "GET", path).text
        assert (theirs[part] in text) == is_open, (path, text)
        assert theirs[part] in opened.request("ada", "admin", "GET", path).text, path
        if path.endswith("limit=100"):
            assert own[part] in text, path


def test_names_are_looked_up_among_the_caller_s_jobs(opened: AccountsBox, visibility: str) -> None:
    name = f"vgg-{visibility}"
    theirs, own = opened.add_job(OWNER, name=name), opened.add_job("mia", name=name)
    for caller, scope, expected in (
        ("mia", "submit", [own]),
        ("otto", "read", [theirs]),
        ("ada", "admin", []),
    ):
        listed = opened.request(caller, scope, "GET", f"/v1/jobs?named={name}").json()["data"]
        assert [job["id"] for job in listed] == expected


def test_jobs_in_a_query_have_to_be_visible(opened: AccountsBox, visibility: str) -> None:
    theirs, own = opened.add_job(OWNER), opened.add_job("mia")
    path, expected = f"/v1/compare?jobs={own},{theirs}", 200 if visibility == "team" else 404
    assert opened.request("mia", "read", "GET", path).status_code == expected
    assert opened.request("ada", "admin", "GET", path).status_code == 200
