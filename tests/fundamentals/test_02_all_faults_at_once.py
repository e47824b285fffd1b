"""2. A specification with mistakes is refused with every fault at once."""

from tests.fundamentals.conftest import Box


def test_every_fault_is_reported_with_its_pointer(box: Box) -> None:
    response = box.http.post(
        "/v1/jobs",
        json={
            "dataset": "digits",
            "architecture": {"name": "mlp", "hidden_units": [0]},
            "optimizer": {"name": "adaam", "learning_rate": 2000},
            "training": {"epochs": "many"},
        },
    )

    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    faults = {fault["pointer"]: fault["detail"] for fault in response.json()["errors"]}
    assert set(faults) == {
        "/architecture/hidden_units/0",
        "/optimizer/learning_rate",
        "/optimizer/name",
        "/training/epochs",
    }
    assert "adam" in faults["/optimizer/name"], "the nearest name that exists"
    assert "1000" in faults["/optimizer/learning_rate"], "the largest value that is allowed"
