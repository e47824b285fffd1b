"""What the tests of the rules share."""

import pytest

from worker.runner.diagnosis import budget


@pytest.fixture(autouse=True)
def _no_budget(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """Take every reading, also on a slow machine."""
    monkeypatch.setattr(budget, "FLOOR_SECONDS", 3600.0)
