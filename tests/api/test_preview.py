"""`POST /v1/augmentation/preview`."""

import base64
from typing import Any

import pytest

from tests.api.service import Service

AT = "/v1/augmentation/preview"


def test_the_desk_is_asked_with_everything_filled_in(service: Service) -> None:
    service.sidecar.respond = lambda _: {"ok": True, "png": base64.b64encode(b"a picture").decode()}
    body = {"dataset": "digits", "augmentation": {"rotation": 15, "horizontal_flip": True}}
    answer = service.post(AT, body)
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == b"a picture"
    (asked,) = service.sidecar.requests
    assert asked["augmentation"] == {
        "rotation": {"degrees": 15},
        "horizontal_flip": {"probability": 0.5},
    }
    assert (asked["seed"], asked["count"], asked["dataset"]["name"]) == (0, 8, "digits")


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
def test_faults(service: Service, body: Any, pointers: list[str]) -> None:
    answer = service.post(AT, body)
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json()["errors"]] == pointers
    assert not service.sidecar.requests


@pytest.mark.parametrize(("size", "count"), [(8, 8), (512, 8), (513, 7), (1024, 2)])
def test_as_many_are_shown_as_a_picture_takes(service: Service, size: int, count: int) -> None:
    service.post(AT, {"dataset": {"name": "synthetic", "image_size": size}})
    (asked,) = service.sidecar.requests
    assert asked["count"] == count


def test_the_desk_is_told_what_is_asked_for(service: Service) -> None:
    """An image whose angle is asked for is turned before anything else is done to it."""
    asked = {"name": "digits", "target": "rotation", "channels": 3}
    service.post(AT, {"dataset": asked, "augmentation": {"width_shift": 0.1}})
    dataset = service.sidecar.requests[0]["dataset"]
    assert dataset["target"] == "rotation"
    assert (dataset["image_size"], dataset["channels"]) == (8, 3)


def test_a_desk_that_draws_another_picture_is_asked_later(service: Service) -> None:
    service.sidecar.respond = lambda _: {"ok": False, "busy": "The sidecar draws; try again."}
    answer = service.post(AT, {"dataset": "digits"})
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.json()["detail"] == "The sidecar draws; try again."


def test_a_data_set_that_is_not_there_is_not_fetched_meanwhile(service: Service) -> None:
    answer = service.post(AT, {"dataset": "cifar10"})
    assert answer.status_code == 409
    assert "not on this box" in answer.json()["detail"]


def test_what_the_desk_refuses(service: Service) -> None:
    fault = {"pointer": "/dataset/name", "detail": "cannot be read"}
    service.sidecar.respond = lambda _: {"ok": False, "faults": [fault]}
    assert service.post(AT, {"dataset": "digits"}).status_code == 422
