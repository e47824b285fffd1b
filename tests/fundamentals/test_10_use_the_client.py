"""10. Use the Python client: the same calls without any HTTP."""

from pathlib import Path

import pytest

from tests.fundamentals.conftest import Box
from trainshed import ApiError, Client


def test_client_submits_waits_and_downloads_weights(box: Box, tmp_path: Path) -> None:
    with Client(box.url, (box.home / "key").read_text().strip()) as client:
        job = client.submit(
            {"dataset": "digits", "architecture": "linear", "training": {"epochs": 2}}
        )
        ended = client.wait(job["id"])
        assert ended["state"] == "succeeded"

        names = {series["name"] for series in client.metrics(job["id"])}
        assert {"train_loss", "val_accuracy"} <= names
        weights = client.download(job["id"], "best_val_accuracy", tmp_path / "weights.safetensors")
        assert weights.stat().st_size > 0

        with pytest.raises(ApiError, match="/architecture") as refused:
            client.submit({"dataset": "digits"})
        assert refused.value.status == 422
