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
