"""The checks of a complete file: finite values, at least a tensor, a valid normalization."""

import json
import struct

import pytest

from tests.api.service import Service
from tests.api.weights.files import stored, upload, weights_file

pytestmark = pytest.mark.usefixtures("no_uploads")


@pytest.mark.parametrize("dtype", ["F32", "F64", "F16", "BF16"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_value_that_is_not_finite_is_refused(service: Service, dtype: str, value: float) -> None:
    element = {"F32": "<f", "F64": "<d", "F16": "<e", "BF16": "<f"}[dtype]
    bits = struct.pack(element, value)[-2 if dtype == "BF16" else 0 :]
    response = upload(service, weights_file(dtype, 6, b"\0" * len(bits) * 5 + bits))
    assert response.status_code == 422
    assert "'a' has a value that is not finite" in response.json()["detail"]
    assert stored(service) == ([], 0)


def test_largest_float32_values_are_accepted(service: Service) -> None:
    largest = {
        "F32": struct.pack("<f", -3.4e38),
        "F64": struct.pack("<d", 3.4e38),
        "F16": struct.pack("<e", 65504.0),
        "BF16": struct.pack("<f", 3.3e38)[2:],
        "I64": b"\xff" * 8,
    }
    for dtype, data in largest.items():
        assert upload(service, weights_file(dtype, 1, data)).status_code == 201, dtype
    too_large = weights_file("F64", 1, struct.pack("<d", -3.5e38))
    assert upload(service, too_large).status_code == 422


def test_invalid_normalization_is_refused(service: Service) -> None:
    metadata = {"normalization": json.dumps({"mean": [0.5], "deviation": [-1]})}
    response = upload(service, weights_file("F32", 2, b"\0" * 8, metadata=metadata))
    assert response.status_code == 422
    assert response.json()["detail"].startswith("The file's normalization has a deviation")
    assert stored(service) == ([], 0)


def test_file_without_tensors_is_refused(service: Service) -> None:
    response = upload(service, struct.pack("<Q", 2) + b"{}")
    assert response.status_code == 422
    assert "no tensors" in response.json()["detail"]
    assert stored(service) == ([], 0)
