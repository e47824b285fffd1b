"""Presets train on a real box, with few images and one epoch."""

from collections.abc import Iterable
from typing import Any

import pytest

from api.presets.presets import presets
from tests.e2e.conftest import TIMEOUT_SECONDS, EmbeddedBox

pytestmark = pytest.mark.e2e

#: One with stages, and one of regression.
SAMPLE = ("transfer-learning", "digits-by-angle")


def _small(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the specification with few images and one epoch."""
    small = {**spec, "dataset": {**spec["dataset"], "train": 64, "validation": 32, "test": 32}}
    if "fine_tuning" in spec:
        stages = [{**stage, "epochs": 1} for stage in spec["fine_tuning"]["stages"]]
        return {**small, "fine_tuning": {**spec["fine_tuning"], "stages": stages}}
    return {**small, "training": {**spec["training"], "epochs": 1}}


def _train(box: EmbeddedBox, names: Iterable[str]) -> None:
    with box.client() as client:
        listed = {preset["name"]: preset["spec"] for preset in client.presets()}
        assert set(listed) == set(presets())
        jobs = {name: client.submit(_small(listed[name]))["id"] for name in names}
        ended = {
            name: client.wait(job, timeout_seconds=TIMEOUT_SECONDS) for name, job in jobs.items()
        }
    failures = {name: job["failure"] for name, job in ended.items() if job["failure"]}
    assert not failures
    assert {job["state"] for job in ended.values()} == {"succeeded"}
    assert len(ended["transfer-learning"]["result"]["stages"]) == 2
    assert "r2" in ended["digits-by-angle"]["result"]["test"]["last"]


def test_a_sample_of_the_presets_trains(box: EmbeddedBox) -> None:
    _train(box, SAMPLE)


@pytest.mark.long
def test_every_preset_trains(box: EmbeddedBox) -> None:
    _train(box, presets())
