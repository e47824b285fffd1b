"""`POST /v1/augmentation/preview`."""

import base64
from typing import Any

import pytest

from tests.api.service import Service

AT = "/v1/augmentation/preview"


def test_the_desk_is_asked_with_everything_filled_in(service: Service) -> None:
    service.desk.say = lambda _: {"ok": True, "png": base64.b64encode(b"a picture").decode()}
    body = {"dataset": "digits", "augmentation": {"rotation": 15, "horizontal_flip": True}}
    answer = service.post(AT, body)
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == b"a picture"
    (asked,) = service.desk.asked
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
            ["/seed", "/augmentation/rotation/degrees", "/augmentation/zoom/fraction"],
        ),
        (
            {"dataset": "digits", "augmentation": {"fill_mode": "wrap"}},
            ["/augmentation/fill_mode/mode"],
        ),
        (
            {"dataset": "digits", "augmentation": {"brightness": [1]}},
            ["/augmentation/brightness/factors"],
        ),
    ],
)
def test_faults(service: Service, body: Any, pointers: list[str]) -> None:
    answer = service.post(AT, body)
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json()["errors"]] == pointers
    assert not service.desk.asked


def test_a_data_set_that_is_not_there_is_not_fetched_meanwhile(service: Service) -> None:
    answer = service.post(AT, {"dataset": "cifar10"})
    assert answer.status_code == 409
    assert "not on this box" in answer.json()["detail"]


def test_what_the_desk_refuses(service: Service) -> None:
    fault = {"pointer": "/dataset/name", "detail": "cannot be read"}
    service.desk.say = lambda _: {"ok": False, "faults": [fault]}
    assert service.post(AT, {"dataset": "digits"}).status_code == 422
