"""`POST /v1/augmentation/preview`."""

import base64
from typing import Any

import pytest

from tests.api.service import Service

AT = "/v1/augmentation/preview"


def test_sidecar_receives_the_filled_request(service: Service) -> None:
    service.sidecar.respond = lambda _: {"ok": True, "png": base64.b64encode(b"a picture").decode()}
    body = {"dataset": "digits", "augmentation": {"rotation": 15, "horizontal_flip": True}}
    answer = service.post(AT, body)
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == b"a picture"
    (request,) = service.sidecar.requests
    assert request["augmentation"] == {
        "rotation": {"degrees": 15},
        "horizontal_flip": {"probability": 0.5},
    }
    assert (request["seed"], request["count"], request["dataset"]["name"]) == (0, 8, "digits")


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/dataset"]),
        ([], [""]),
        ({"dataset": "digit"}, ["/dataset/name"]),
        ({"dataset": "digits", "count": 33}, ["/count"]),
        ({"dataset": "digits", "counts": 3}, ["/counts"]),
        ({"dataset": "digits", "augmentation": {"rotate": 3}}, ["/augmentation/rotate"]),
        (
            {"dataset": "digits", "augmentation": {"rotation": 181, "zoom": 1}, "seed": -1},
            ["/augmentation/rotation/degrees", "/augmentation/zoom/fraction", "/seed"],
        ),
        (
            {"dataset": "digits", "augmentation": {"fill_mode": "wrap"}},
            ["/augmentation/fill_mode/mode"],
        ),
        (
            {"dataset": "digits", "augmentation": {"brightness": [1]}},
            ["/augmentation/brightness/factors"],
        ),
        ({"dataset": {"name": "digits", "target": "bogus"}}, ["/dataset/target"]),
        ({"dataset": {"name": "digits", "file": "a.csv"}}, ["/dataset/file"]),
        ({"dataset": {"name": "digits", "train": 10**6}}, ["/dataset/train"]),
        (
            {
                "dataset": {"name": "digits", "target": "rotation", "image_size": 4},
                "augmentation": {"rotation": 5, "brightness": True},
            },
            ["/augmentation/rotation", "/dataset/image_size"],
        ),
        ({"dataset": {"name": "digits", "image_size": 1024}, "count": 3}, ["/count"]),
    ],
)
def test_every_fault_is_reported_at_once(service: Service, body: Any, pointers: list[str]) -> None:
    answer = service.post(AT, body)
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == pointers
    assert not service.sidecar.requests


@pytest.mark.parametrize(("size", "count"), [(8, 8), (512, 8), (513, 7), (1024, 2)])
def test_count_is_limited_by_the_size_of_a_picture(service: Service, size: int, count: int) -> None:
    service.post(AT, {"dataset": {"name": "synthetic", "image_size": size}})
    (request,) = service.sidecar.requests
    assert request["count"] == count


def test_sidecar_receives_the_target(service: Service) -> None:
    """Images are turned by the target's angle before they are augmented."""
    dataset = {"name": "digits", "target": "rotation", "channels": 3}
    service.post(AT, {"dataset": dataset, "augmentation": {"width_shift": 0.1}})
    dataset = service.sidecar.requests[0]["dataset"]
    assert dataset["target"] == "rotation"
    assert (dataset["image_size"], dataset["channels"]) == (8, 3)


def test_busy_sidecar_is_answered_with_503(service: Service) -> None:
    service.sidecar.respond = lambda _: {"ok": False, "busy": "The sidecar draws; try again."}
    answer = service.post(AT, {"dataset": "digits"})
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.json()["detail"] == "The sidecar draws; try again."


def test_dataset_that_is_not_on_the_box_is_answered_with_409(service: Service) -> None:
    answer = service.post(AT, {"dataset": "cifar10"})
    assert answer.status_code == 409
    assert "not on this box" in answer.json()["detail"]


def test_fault_of_the_sidecar_is_answered_with_422(service: Service) -> None:
    fault = {"pointer": "/dataset/name", "detail": "cannot be read"}
    service.sidecar.respond = lambda _: {"ok": False, "faults": [fault]}
    assert service.post(AT, {"dataset": "digits"}).status_code == 422


def test_table_has_no_preview(service: Service) -> None:
    dataset = {"name": "table", "file": "houses.csv", "target": "price"}
    answer = service.post(AT, {"dataset": dataset})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/dataset/name"
