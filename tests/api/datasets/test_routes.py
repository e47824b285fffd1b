"""`GET /v1/datasets`."""

from tests.api.service import Service


def test_data_sets_are_listed_by_name(service: Service) -> None:
    first = service.client.get("/v1/datasets", params={"limit": 1}).json()
    rest = service.client.get("/v1/datasets", params={"after": first["data"][0]["id"]}).json()
    names = [dataset["id"] for dataset in [*first["data"], *rest["data"]]]
    assert names == ["cifar10", "digits", "fashion-mnist", "synthetic", "table"]
    assert (first["has_more"], rest["has_more"]) == (True, False)


def test_data_set_has_its_classes_and_whether_it_is_on_the_box(service: Service) -> None:
    digits = service.client.get("/v1/datasets/digits").json()
    assert digits["object"] == "dataset"
    assert digits["classes"] == list("0123456789")
    assert digits["is_available"] is True
    assert service.client.get("/v1/datasets/cifar10").json()["is_available"] is False


def test_error_for_an_unknown_name_has_the_nearest_name(service: Service) -> None:
    response = service.client.get("/v1/datasets/digit")
    assert response.status_code == 404
    assert "Did you mean `digits`?" in response.json()["detail"]
