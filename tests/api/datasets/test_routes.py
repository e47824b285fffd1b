"""`GET /v1/datasets`."""

from tests.api.service import Service


def test_data_sets_are_listed_by_name(service: Service) -> None:
    first = service.client.get("/v1/datasets", params={"limit": 1}).json()
    rest = service.client.get("/v1/datasets", params={"after": first["data"][0]["id"]}).json()
    names = [dataset["id"] for dataset in [*first["data"], *rest["data"]]]
    assert names == ["cifar10", "digits", "fashion-mnist", "synthetic", "table"]
    assert (first["has_more"], rest["has_more"]) == (True, False)


def test_built_in_set_has_the_counts_of_its_classes_and_splits(service: Service) -> None:
    digits = service.client.get("/v1/datasets/digits").json()
    assert (digits["object"], digits["state"], digits["version"]) == ("dataset", "ready", None)
    assert (digits["kind"], digits["task"], digits["images"]) == ("images", "classification", 1797)
    drawn = dict.fromkeys(("train", "validation", "test"))
    assert digits["classes"][3] == {"name": "3", "images": 183, **drawn}
    own = service.client.get("/v1/datasets/fashion-mnist").json()["classes"][0]
    assert own == {
        "name": "T-shirt/top", "images": 7000, "train": 6000, "validation": None, "test": 1000,
    }  # fmt: skip


def test_data_set_says_whether_it_is_on_the_box(service: Service) -> None:
    assert service.client.get("/v1/datasets/digits").json()["is_available"] is True
    assert service.client.get("/v1/datasets/cifar10").json()["is_available"] is False


def test_error_for_an_unknown_name_has_the_nearest_name(service: Service) -> None:
    response = service.client.get("/v1/datasets/digit")
    assert response.status_code == 404
    assert "Did you mean `digits`?" in response.json()["detail"]
