"""The jobs of the runner's tests."""

from tests.worker.runner.conftest import jobs

__all__ = ["jobs"]
