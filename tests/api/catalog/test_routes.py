"""`GET /v1/catalog`."""

from shared import catalog
from tests.api.service import Service


def test_every_slot_has_its_methods_with_schemas(service: Service) -> None:
    response = service.client.get("/v1/catalog").json()
    assert set(response) == {*catalog.SLOTS, "metrics"}
    assert response == catalog.load()
    for slot in catalog.SLOTS:
        for entry in response[slot].values():
            assert entry["summary"]
            assert entry["source"]
            assert entry["parameters"]["type"] == "object"
    counts = response["architectures"]["vgg_small"]["parameter_count"]
    assert counts == {"trainable": 2_169_770, "with_statistics": 2_171_178, "reference": 2_171_178}


def test_a_method_has_its_plots(service: Service) -> None:
    method = service.client.get("/v1/catalog/schedules/cosine").json()
    assert method["plots"] == catalog.load_plots()["schedules"]["cosine"]
    assert method["plots"][0]["lines"][0]["y"][0] == 1.0
    entry = catalog.load()["schedules"]["cosine"]
    assert {name: method[name] for name in entry} == entry
    assert service.client.get("/v1/catalog/analyses/curvature").json()["plots"] == []


def test_an_unknown_method_is_answered_with_the_nearest(service: Service) -> None:
    for path, nearest in (("optimizers/adm", "adam"), ("optimizer/adam", "optimizers")):
        response = service.client.get(f"/v1/catalog/{path}")
        assert (response.status_code, nearest in response.json()["detail"]) == (404, True)
