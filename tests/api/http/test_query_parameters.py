"""Unknown and repeated query parameters, on every route."""

import pytest

from tests.api.service import Service


def _faults(service: Service, path: str) -> dict[str, str]:
    response = service.client.get(path)
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    return {fault["pointer"]: fault["detail"] for fault in response.json()["errors"]}


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("stat=failed", "Did you mean `state`?"),
        ("State=failed", "Did you mean `state`?"),
        ("limits=3", "Did you mean `limit`?"),
        ("tags=a", "Did you mean `tag`?"),
        ("xyz", "Available: after, dataset, kind, limit, named, owner, state, sweep, tag"),
    ],
)
def test_an_unknown_parameter_is_refused_with_the_nearest_name(
    service: Service, query: str, fault: str
) -> None:
    name = query.partition("=")[0]
    faults = _faults(service, f"/v1/jobs?limit=1&{query}")
    assert list(faults) == [f"/query/{name}"]
    assert "is not a query parameter of this address" in faults[f"/query/{name}"]
    assert fault in faults[f"/query/{name}"]


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("/v1/jobs?limit=0", 'is "0"; it must be at least 1'),
        ("/v1/jobs?limit=1e1", 'is "1e1"; it must be an integer'),
        ("/v1/jobs?kind=x", 'is "x"; it must be "training" or "verification"'),
        ("/v1/datasets/digits/samples?per_class=999", 'is "999"; it must be at most 16'),
        ("/v1/leaderboard", "is required"),
        (f"/v1/jobs?tag={'x' * 601}", "has 601 characters; at most 600 are allowed"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    service: Service, path: str, fault: str
) -> None:
    assert list(_faults(service, path).values()) == [fault]


def test_all_unknown_and_repeated_parameters_are_reported(service: Service) -> None:
    faults = _faults(service, "/v1/jobs?a=1&state=failed&b=2&state=running&a=3")
    assert list(faults) == ["/query/a", "/query/state", "/query/b"]
    assert faults["/query/state"] == "is given 2 times; give it once"


def test_names_of_any_length_and_script_are_answered_in_one_line(service: Service) -> None:
    faults = _faults(service, f"/v1/jobs?{'x' * 3000}=1&%00%E2%80%AE=2&=3")
    assert len(faults) == 3
    assert all(len(detail) < 300 for detail in faults.values())


def test_every_route_refuses_what_it_does_not_know(service: Service) -> None:
    paths = {path: [*operations] for path, operations in service.app.openapi()["paths"].items()}
    assert len(paths) > 25
    for path, methods in {
        **paths,
        **{page: ["get"] for page in ("/", "/docs", "/openapi.json")},
    }.items():
        for method in methods:
            address = path.replace("{job_id}", "job_" + "0" * 26)
            response = service.client.request(method, address, params={"no_such_parameter": 1})
            assert response.status_code == 422, (method, path, response.text)
            [fault] = response.json()["errors"]
            assert fault["pointer"] == "/query/no_such_parameter", path


def test_without_a_key_the_key_is_asked_for_first(service: Service) -> None:
    headers = {"Authorization": "Bearer wrong"}
    assert service.client.get("/v1/jobs?stat=failed", headers=headers).status_code == 401
