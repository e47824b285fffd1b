"""Every route declares its right, and takes ids through the dependencies that check them."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Security
from fastapi.routing import iter_route_contexts
from pydantic import SecretStr
from starlette.responses import Response

from api.app import create_app
from api.dashboard.page import open_api
from api.deps import declared_rights, job_id, right, without_key
from api.services.principal import LEVELS
from shared.settings import Settings
from tests.api.service import KEY

PUBLIC = {"/healthz", "/readyz", "/docs", "/openapi.json"}
#: Of the pages, what a browser needs to log in. The others open the API with their session.
LOGIN = {"/login", "/logout", "/assets/{digest}/{name}"}
#: Rights that read: what has another method than GET or HEAD changes something.
READING = {name for name, level in LEVELS.items() if name.endswith(":read")}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """Return the application over a home without a database."""
    home = tmp_path_factory.mktemp("rights")
    return create_app(Settings(home=home, admin_key=SecretStr(KEY)))


def _calls(dependant: Any) -> set[Any]:
    """Return every dependency of a route."""
    found = {dependant.call}
    for each in dependant.dependencies:
        found |= _calls(each)
    return found


def test_every_route_declares_a_right(app: FastAPI) -> None:
    rights = declared_rights(app)
    assert len(rights) > 50
    pages = {
        route.path
        for route in iter_route_contexts(app.router.routes)
        if open_api in _calls(route.dependant)
    }
    assert not any(path.startswith("/v1") for path in pages if path)
    without = {path for (_, path), name in rights.items() if name is None}
    assert without - pages <= PUBLIC | LOGIN | {"/"}
    assert without >= PUBLIC


def test_a_route_that_changes_something_has_no_right_to_read(app: FastAPI) -> None:
    for (method, path), name in declared_rights(app).items():
        if name is not None and path != "/v1/login-links":
            assert (name in READING) == (method in {"GET", "HEAD"}), (method, path)


@pytest.mark.parametrize("declared", [(), (right("jobs:read"), right("jobs:write"))])
def test_an_application_with_a_route_of_no_or_two_rights_does_not_start(
    declared: tuple[Any, ...],
) -> None:
    app = FastAPI(openapi_url=None)
    app.get("/a", dependencies=[Security(without_key)])(lambda: None)
    app.get("/b", dependencies=[Security(each) for each in declared])(lambda: None)
    with pytest.raises(RuntimeError, match=f"/b declares {len(declared)} rights"):
        declared_rights(app)


def test_a_mounted_application_is_refused(tmp_path: Path) -> None:
    app = FastAPI(openapi_url=None)
    app.mount("/files", Response())
    with pytest.raises(RuntimeError, match="/files declares 0 rights"):
        declared_rights(app)


def test_ids_of_jobs_are_checked_by_their_dependency(app: FastAPI) -> None:
    """A route with the id of a job in its path cannot pass by who may see the job."""
    count = 0
    for route in iter_route_contexts(app.router.routes):
        if "{job_id}" in (route.path or "") and open_api not in _calls(route.dependant):
            count += 1
            assert job_id in _calls(route.dependant), route.path
    assert count > 20
